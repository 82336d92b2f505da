#include "runtime/monitor_client.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fd_message.h"
#include "base/fs.h"
#include "base/self.h"
#include "runtime/frame.h"
#include "runtime/launch.h"

#define PROGRAM          "tare-monitor"
#define CHILD_STACK_SIZE ((size_t)64 << 10)
#define CHILD_SOCKET_FD  3
#define ANSWER_MAX       ((size_t)64 << 10)

void monitor_conn_release(struct monitor_conn *c) {
    c->fd = fd_close(c->fd);
}

bool monitor_stream_breaks(int fd) {
    struct stat st;

    return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

/* ---- starting the program ---- */

/* A sealed copy in memory: where a clone of the mount cannot be made. Slower, as safe. */
static int sealed_copy(int program_fd, struct error *e) {
    _cleanup_fd_ int in = -1, out = memfd_create(PROGRAM, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    char path[64];
    ssize_t n;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", program_fd);
    in = open(path, O_RDONLY | O_CLOEXEC);
    if (in < 0 || out < 0)
        return error_errno(e, -errno, "copy %s", PROGRAM);
    while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
        ;
    if (n < 0 || fcntl(out, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        return error_errno(e, -errno, "copy %s", PROGRAM);
    return TAKE_FD(out);
}

int monitor_keep_program(struct error *e) {
    return self_keep_program(PROGRAM, e);
}

/* What runs between clone and the container's own exec shares its /proc/PID/exe with the monitor: it must not be writable from
 * inside (CVE-2019-5736). A read-only clone of its mount, attached nowhere, costs 0.01 ms. */
int monitor_open_program(struct error *e) {
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    _cleanup_fd_ int program = self_open_program(PROGRAM, e);
    _cleanup_fd_ int clone = -1;

    if (program < 0)
        return program;
    clone = (int)syscall(SYS_open_tree, program, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (clone < 0 || syscall(SYS_mount_setattr, clone, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
        return sealed_copy(program, e);
    return TAKE_FD(clone);
}

struct spawn {
    int program_fd, socket_fd;
    const char *role, *id;
    int failure; /* errno of the child, which shares our memory */
};

/* Between vfork and exec, on the caller's memory: system calls only. */
static int spawn_child(void *arg) {
    struct spawn *s = arg;
    char *const argv[] = {(char *)(uintptr_t)PROGRAM, (char *)(uintptr_t)s->role, (char *)(uintptr_t)s->id, NULL};
    char *const envp[] = {NULL};
    sigset_t none;
    int null;

    self_reset_signals();
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    /* The numbers 0 to 3 may be taken by what we need: go above them first. */
    s->program_fd = fcntl(s->program_fd, F_DUPFD_CLOEXEC, 10);
    s->socket_fd = fcntl(s->socket_fd, F_DUPFD_CLOEXEC, 10);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || s->program_fd < 0 || s->socket_fd < 0)
        goto failed;
    for (int fd = 0; fd < 3; fd++)
        if ((fd == null ? fcntl(fd, F_SETFD, 0) : dup2(null, fd)) < 0)
            goto failed;
    if (dup2(s->socket_fd, CHILD_SOCKET_FD) < 0)
        goto failed;
    (void)syscall(SYS_close_range, CHILD_SOCKET_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    if (chdir("/") < 0)
        goto failed;
    (void)syscall(SYS_execveat, s->program_fd, "", argv, envp, AT_EMPTY_PATH);
failed:
    s->failure = errno;
    _exit(127);
}

/* Starts tare-monitor in the given role; the id is for ps only. *ret_fd is our end of its connection. */
static int spawn(const char *role, const char *id, int *ret_fd, struct error *e) {
    static char stack[CHILD_STACK_SIZE] __attribute__((aligned(16))); /* the child has exec'ed or ended before clone returns */
    _cleanup_fd_ int program = monitor_open_program(e), ours = -1, theirs = -1;
    struct spawn s = {.program_fd = program, .role = role, .id = id};
    sigset_t all, saved;
    int pair[2];
    pid_t pid;

    if (program < 0)
        return program;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(e, -errno, "make a connection to %s", PROGRAM);
    ours = pair[0];
    s.socket_fd = theirs = pair[1];
    /* No handler of ours may run on the memory we share. */
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &saved);
    pid = clone(spawn_child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK, &s);
    (void)sigprocmask(SIG_SETMASK, &saved, NULL);
    if (pid < 0)
        return error_errno(e, -errno, "start %s", PROGRAM);
    /* Without an exit signal it is never our zombie to reap, unless we ask (__WCLONE): ask only when it failed. */
    if (s.failure) {
        (void)waitpid(pid, NULL, __WCLONE);
        return error_errno(e, -s.failure, "execute %s", PROGRAM);
    }
    *ret_fd = TAKE_FD(ours);
    return 0;
}

static int send_sockets(int fd, const int *sockets, size_t n) {
    _cleanup_buf_ struct buf frame = BUF_INIT;
    int r = 0;

    frame_add(&frame, FRAME_SOCKETS, NULL, 0);
    for (size_t i = 0; r == 0 && i < n; i += FD_STREAM_MAX)
        r = frame_send(fd, &frame, sockets + i, MIN_OF(n - i, (size_t)FD_STREAM_MAX));
    return r;
}

/* What goes with a launch description. */
struct company {
    const int *fds;     /* LAUNCH_FDS */
    const int *sockets; /* sent behind it */
    size_t n_sockets;
};

/* Sends the launch description and waits for "started" or the error. */
static int launch(int fd, const struct buf *blob, const struct company *with, struct monitor_conn *ret, struct error *e) {
    _cleanup_buf_ struct buf frame = BUF_WITH_MAX(LAUNCH_SIZE_MAX + FRAME_HEADER_SIZE), answer = BUF_WITH_MAX(ANSWER_MAX);
    int present[LAUNCH_FDS];
    size_t n = 0;
    struct frame f;
    int r;

    if (blob->failed)
        return error_set(e, -E2BIG, "the container's description is larger than %zu MB", LAUNCH_SIZE_MAX >> 20);
    for (size_t i = 0; i < LAUNCH_FDS; i++)
        if (with->fds[i] >= 0)
            present[n++] = with->fds[i];
    frame_add(&frame, FRAME_LAUNCH, blob->data, blob->size);
    r = frame_send(fd, &frame, present, n);
    if (r == 0)
        r = send_sockets(fd, with->sockets, with->n_sockets);
    if (r == 0)
        r = frame_receive(fd, &answer, &f, NULL, 0);
    if (r < 0) {
        error_set(e, r, "the container's monitor ended before it answered: %s", errno_text(r));
        return error_hint(e, "was it killed? dmesg may tell");
    }
    if (f.type == FRAME_ERROR)
        return frame_error(&f, e);
    if (f.type != FRAME_STARTED)
        return error_set(e, -EPROTO, "the container's monitor answered with something else (%u)", f.type);
    ret->pid = (pid_t)frame_u32(&f, 0, 0);
    return 0;
}

static int start(const char *role, const char *id, const struct buf *blob, const struct company *with, bool attached,
                 struct monitor_conn *ret, struct error *e) {
    struct monitor_conn conn = MONITOR_CONN_INIT;
    _cleanup_fd_ int fd = -1;
    int r = spawn(role, id, &fd, e);

    if (r == 0)
        r = launch(fd, blob, with, &conn, e);
    if (r < 0)
        return r;
    conn.primary = attached;
    if (attached)
        conn.fd = TAKE_FD(fd);
    *ret = conn;
    return 0;
}

int monitor_start(const struct monitor_launch *l, struct monitor_conn *ret, struct error *e) {
    const int fds[LAUNCH_FDS] = {l->container_dirfd, l->run_dirfd, l->root_fd, l->run_root_fd, l->explain_fd, l->holder_fd};
    _cleanup_buf_ struct buf blob = BUF_INIT;

    launch_encode(l, &blob);
    return start("container", l->id, &blob, &(struct company){fds, l->sockets, l->n_sockets}, l->attached, ret, e);
}

int monitor_exec(const struct monitor_exec *x, struct monitor_conn *ret, struct error *e) {
    const int fds[LAUNCH_FDS] = {-1, x->run_dirfd, -1, x->run_root_fd, x->explain_fd, -1};
    _cleanup_buf_ struct buf blob = BUF_INIT;

    launch_encode_exec(x, &blob);
    return start("exec", x->id, &blob, &(struct company){.fds = fds}, x->attached, ret, e);
}

int monitor_adopt(int container_dirfd, int run_dirfd, int root_fd, int run_root_fd, uint32_t restart, uint32_t restart_max,
                  struct error *e) {
    const int fds[LAUNCH_FDS] = {container_dirfd, run_dirfd, root_fd, run_root_fd, -1, -1};
    struct monitor_conn conn = MONITOR_CONN_INIT;
    _cleanup_buf_ struct buf file = BUF_INIT, blob = BUF_INIT;
    struct monitor_launch l;
    int r = fs_read_at(run_dirfd, LAUNCH_FILE, LAUNCH_SIZE_MAX, &file, NULL);

    if (r < 0)
        return error_errno(e, r, "read the launch description");
    if (launch_decode(file.data, file.size, &l) < 0)
        return error_set(e, -EPROTO, "the launch description is damaged");
    l.restart = restart;
    l.restart_max = restart_max;
    l.n_sockets = l.n_watched = 0;
    launch_encode(&l, &blob);
    launch_set_fds(&blob, fds);
    return start("adopt", l.id, &blob, &(struct company){.fds = fds}, false, &conn, e);
}

/* ---- talking to one ---- */

int monitor_connect(int run_dirfd, struct monitor_conn *ret, struct error *e) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    _cleanup_buf_ struct buf b = BUF_WITH_MAX(ANSWER_MAX);
    const uint32_t version = FRAME_VERSION;
    struct frame f = {0};
    int r;

    if (fd < 0)
        return error_errno(e, -errno, "make a socket");
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" STATE_SOCKET_FILE, run_dirfd);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return error_errno(e, -errno, "reach the container's monitor");
    frame_add_u32s(&b, FRAME_HELLO, &version, 1);
    r = frame_send(fd, &b, NULL, 0);
    if (r == 0)
        r = frame_receive(fd, &b, &f, NULL, 0);
    if (r < 0)
        return error_errno(e, r, "reach the container's monitor");
    if (f.type != FRAME_HELLO)
        return error_set(e, -EPROTO, "the container's monitor does not answer as one");
    ret->fd = TAKE_FD(fd);
    return 0;
}

/* Sends numbers, waits for the answer; everything else that arrives meanwhile is passed over. */
static int request(struct monitor_conn *c, uint8_t type, const uint32_t *v, size_t n, uint8_t wanted, uint32_t *ret,
                   struct error *e) {
    _cleanup_buf_ struct buf b = BUF_WITH_MAX(FRAME_PAYLOAD_MAX);
    int r;

    frame_add_u32s(&b, type, v, n);
    r = frame_send(c->fd, &b, NULL, 0);
    while (r == 0) {
        struct frame f;

        r = frame_receive(c->fd, &b, &f, NULL, 0);
        if (r == 0 && f.type == FRAME_ERROR)
            return frame_error(&f, e);
        if (r == 0 && f.type == wanted) {
            if (ret)
                *ret = frame_u32(&f, 0, 0);
            return 0;
        }
    }
    return error_errno(e, r, "ask the container's monitor");
}

int monitor_attach(struct monitor_conn *c, const struct attach_options *o, struct error *e) {
    const uint32_t v[] = {(o->in ? 1u : 0) | (o->out ? 2u : 0) | (o->err ? 4u : 0), o->rows, o->cols};
    uint32_t pid;
    int r = request(c, FRAME_ATTACH, v, 3, FRAME_OK, &pid, e);

    if (r == 0)
        c->pid = (pid_t)pid;
    return r;
}

int monitor_signal(struct monitor_conn *c, int signo, struct error *e) {
    const uint32_t v = (uint32_t)signo;

    return request(c, FRAME_SIGNAL, &v, 1, FRAME_OK, NULL, e);
}

int monitor_resize(struct monitor_conn *c, uint32_t rows, uint32_t cols, struct error *e) {
    const uint32_t v[] = {rows, cols};

    return request(c, FRAME_RESIZE, v, 2, FRAME_OK, NULL, e);
}

int monitor_stop(struct monitor_conn *c, int signo, int timeout_s, struct error *e) {
    const uint32_t v[] = {(uint32_t)signo, (uint32_t)timeout_s};

    return request(c, FRAME_STOP, v, 2, FRAME_EXIT, NULL, e);
}

int monitor_restart(struct monitor_conn *c, int signo, int timeout_s, struct error *e) {
    const uint32_t v[] = {(uint32_t)signo, (uint32_t)timeout_s};

    return request(c, FRAME_RESTART, v, 2, FRAME_STARTED, NULL, e);
}

int monitor_pause(struct monitor_conn *c, bool pause, struct error *e) {
    const uint32_t v = pause;

    return request(c, FRAME_PAUSE, &v, 1, FRAME_OK, NULL, e);
}

int monitor_wait(struct monitor_conn *c, enum wait_condition until, int *ret_exit_code, struct error *e) {
    const uint32_t v = until;
    uint32_t code;
    int r = request(c, FRAME_WAIT, &v, 1, FRAME_EXIT, &code, e);

    if (r == 0 && ret_exit_code)
        *ret_exit_code = (int)code;
    return r;
}

int monitor_names(struct monitor_conn *c, struct error *e) {
    return request(c, FRAME_NAMES, NULL, 0, FRAME_OK, NULL, e);
}

int monitor_make_settled(struct monitor_conn *c, struct error *e) {
    return request(c, FRAME_SETTLE, NULL, 0, FRAME_OK, NULL, e);
}

int monitor_ports(struct monitor_conn *c, struct error *e) {
    return request(c, FRAME_PORTS, NULL, 0, FRAME_OK, NULL, e);
}

int monitor_name(struct monitor_conn *c, struct error *e) {
    return request(c, FRAME_NAME, NULL, 0, FRAME_OK, NULL, e);
}

int monitor_update_restart(struct monitor_conn *c, enum restart_policy policy, uint32_t max, struct error *e) {
    const uint32_t v[] = {policy, max};

    return request(c, FRAME_POLICY, v, 2, FRAME_OK, NULL, e);
}
