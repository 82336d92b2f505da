/* The worker: tare-monitor in the role `oci`, our child, on our streams. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fd_message.h"
#include "base/fs.h"
#include "oci/oci.h"
#include "runtime/executor.h"
#include "runtime/monitor_client.h"
#include "runtime/oci_role.h"

#define PRESERVE_MAX 512
#define CHILDREN_MAX 4096

/* --preserve-fds counts from behind the sockets of LISTEN_FDS on; Podman, which hands both on, counts these there again. */
static int preserve_count(const struct oci_call *call, int *ret, struct error *e) {
    const struct oci_options *o = &call->o;
    const int sockets = call->listen_fds;
    char *end;
    long n = o->preserve_fds ? strtol(o->preserve_fds, &end, 10) : 0;
    int fd = 3;

    if (o->preserve_fds && (*end || end == o->preserve_fds || n < 0 || n > PRESERVE_MAX))
        return error_set(e, -EINVAL, "--preserve-fds: %s is not a number up to %d", o->preserve_fds, PRESERVE_MAX);
    while (fd < 3 + sockets + n && fcntl(fd, F_GETFD) >= 0)
        fd++;
    if (fd < 3 + sockets)
        return error_set(e, -EBADF, "LISTEN_FDS: descriptor %d is not open", fd);
    if (fd < 3 + n || (fd < 3 + sockets + n && sockets == 0))
        return error_set(e, -EBADF, "--preserve-fds: descriptor %d is not open", fd);
    *ret = fd - 3;
    return 0;
}

static int plan_file(const struct plan *plan, struct error *e) {
    _cleanup_buf_ struct buf blob = BUF_INIT;
    _cleanup_fd_ int fd = memfd_create("plan", MFD_CLOEXEC);

    plan_encode(plan, &blob);
    if (fd < 0 || blob.failed || fs_write_all(fd, blob.data, blob.size) < 0)
        return error_set(e, -ENOMEM, "pass the plan on");
    return TAKE_FD(fd);
}

/* Between vfork and exec, on the caller's memory: system calls only. Descriptors go above those that are handed on, and through the
 * exec. */
static _Noreturn void become_worker(int program, const char *id, const int v[OCI_ROLE_ARGS]) {
    char numbers[OCI_ROLE_ARGS][12];
    char *argv[3 + OCI_ROLE_ARGS + 1] = {(char *)(uintptr_t) "tare-monitor", (char *)(uintptr_t) "oci", (char *)(uintptr_t)id};
    char *envp[] = {NULL};

    for (int i = 0; i < OCI_ROLE_ARGS; i++) {
        int n = v[i];

        if (i <= OCI_ROLE_LOCK && n >= 0)
            n = fcntl(n, F_DUPFD, 10 + v[OCI_ROLE_PRESERVE]);
        (void)snprintf(numbers[i], sizeof(numbers[i]), "%d", n);
        argv[3 + i] = numbers[i];
    }
    if (chdir("/") == 0)
        (void)syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
    _exit(EXIT_ENGINE);
}

static __attribute__((noinline)) pid_t start_worker(int program, const char *id, const int v[OCI_ROLE_ARGS]) {
    pid_t pid = vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork): fork() copies the page tables of a command

    if (pid == 0)
        become_worker(program, id, v); // NOLINT(clang-analyzer-unix.Vfork)
    return pid;
}

static int receive_reply(int fd, struct execution *out, struct error *e) {
    struct oci_role_reply m;
    FD_ROOM(1) room;
    struct iovec part = {.iov_base = &m, .iov_len = sizeof(m)};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof(room)};
    ssize_t n;

    do
        n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(m))
        return error_set(e, -EPROTO, "the worker died");
    (void)fd_message_take(&header, &out->console_fd, 1);
    m.text[sizeof(m.text) - 1] = '\0';
    if (m.code < 0) {
        error_set(e, m.code, "%s", m.text);
        if (m.status)
            error_status(e, m.status);
        return m.code;
    }
    out->pid = m.pid;
    return 0;
}

/* The worker's wait status. */
static int reap(struct oci_worker *w) {
    int status = -1;

    w->fd = fd_close(w->fd);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* The process of a worker that was killed before it told of it is our child then: we are its subreaper. */
static void kill_children(void) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    char *word, *rest;

    if (fs_read_at(AT_FDCWD, "/proc/thread-self/children", CHILDREN_MAX, &text, NULL) < 0 || !text.data)
        return;
    for (rest = text.data; (word = strsep(&rest, " "));)
        if (strtol(word, NULL, 10) > 1)
            (void)kill((pid_t)strtol(word, NULL, 10), SIGKILL);
}

int oci_worker_run(struct oci_call *call, const char *id, const struct plan *plan, struct oci_worker_fds fds, bool terminal,
                   struct oci_worker *ret, struct execution *out, struct error *e) {
    int v[OCI_ROLE_ARGS] = {
        [OCI_ROLE_LISTEN] = fds.listen, [OCI_ROLE_PIDFD] = fds.pidfd, [OCI_ROLE_LOCK] = fds.lock, [OCI_ROLE_TERMINAL] = terminal};
    _cleanup_fd_ int program = -1, file = -1, ours = -1, theirs = -1;
    struct oci_worker w;
    int pair[2];
    int r = preserve_count(call, &v[OCI_ROLE_PRESERVE], e);

    if (r < 0)
        return r;
    program = monitor_open_program(e);
    if (program < 0)
        return program;
    file = plan_file(plan, e);
    if (file < 0)
        return file;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(e, -errno, "make a socket pair");
    ours = pair[0];
    theirs = pair[1];
    v[OCI_ROLE_SOCKET] = theirs;
    v[OCI_ROLE_PLAN] = file;
    if (call->born) /* a fork, without other children than these */
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    w.pid = start_worker(program, id, v);
    if (w.pid < 0)
        return error_errno(e, -errno, "start the worker");
    theirs = fd_close(theirs);
    w.fd = TAKE_FD(ours);
    r = receive_reply(w.fd, out, e);
    if (r < 0) {
        (void)reap(&w);
        if (call->born)
            kill_children();
        return r;
    }
    *ret = w;
    return 0;
}

int oci_worker_release(struct oci_worker *w, struct error *e) {
    if (send(w->fd, "", 1, MSG_NOSIGNAL) == 1)
        return 0;
    (void)reap(w);
    return error_set(e, -EPIPE, "the worker died");
}

int oci_worker_end(struct oci_worker *w, struct error *e) {
    return reap(w) == 0 ? 0 : error_set(e, -EPIPE, "the worker died");
}

void oci_worker_drop(struct oci_worker *w) {
    (void)reap(w);
}

static bool host_uid(const struct oci_spec *spec, uint32_t uid, uid_t *ret) {
    const struct list *maps = &spec->linux_->uid_mappings;

    *ret = uid;
    for (size_t i = 0; i < maps->n; i++) {
        const struct oci_id_mapping *m = LIST_AT(struct oci_id_mapping, maps, i);

        if (uid >= m->container_id && uid - m->container_id < m->size) {
            *ret = m->host_id + (uid - m->container_id);
            return true;
        }
    }
    return maps->n == 0;
}

void oci_streams_give(const struct oci_spec *spec, uint32_t uid) {
    uid_t host;

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        struct stat st;

        if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && host_uid(spec, uid, &host) && st.st_uid != host &&
            fchown(fd, host, (gid_t)-1) < 0) {
        } /* a caller without the right to: the program writes to what it has */
    }
}

int oci_fd_send(const char *what, const char *path, const char *name, int fd, struct error *e) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    FD_ROOM(1) room = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)name, .iov_len = strlen(name)};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    _cleanup_fd_ int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(to.sun_path))
        return error_set(e, -ENAMETOOLONG, "%s: %s is too long", what, path);
    (void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
    fd_message_put(&header, &room, &fd, 1);
    if (s < 0 || connect(s, (const struct sockaddr *)&to, sizeof(to)) < 0 || sendmsg(s, &header, MSG_NOSIGNAL) < 0)
        return error_errno(e, -errno, "%s: send to %s", what, path);
    return 0;
}

int oci_pidfd_send(const struct oci_options *o, int pid, struct error *e) {
    _cleanup_fd_ int fd = o->pidfd_socket ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

    if (!o->pidfd_socket)
        return 0;
    return fd < 0 ? error_errno(e, -errno, "--pidfd-socket") : oci_fd_send("--pidfd-socket", o->pidfd_socket, "pidfd", fd, e);
}

int oci_console_check(const struct oci_call *call, bool detach, bool terminal, struct error *e) {
    const struct oci_options *o = &call->o;

    if (terminal && detach && !o->console_socket && !call->born)
        return error_set(e, -EINVAL, "cannot allocate tty if runc will detach without setting console socket");
    if (!terminal && o->console_socket)
        return error_set(e, -EINVAL, "cannot use console socket if runc will not detach or allocate tty");
    return 0;
}

int oci_pid_file(const char *path, int pid, struct error *e) {
    char text[16], *directory = strdup(path), *slash = directory ? strrchr(directory, '/') : NULL;
    const char *name = slash ? slash + 1 : path;
    _cleanup_fd_ int dir = -1;
    int r;

    if (slash)
        *slash = '\0';
    dir = open(!slash ? "." : slash == directory ? "/" : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = dir < 0 ? -errno : 0;
    if (r == 0)
        r = fs_replace_at(dir, name, text, (size_t)snprintf(text, sizeof(text), "%d", pid), 0644, FS_NO_SYNC, NULL);
    free(directory);
    return r < 0 ? error_errno(e, r, "write the pid file %s", path) : 0;
}
