/* The role of an OCI runtime's worker (runtime/oci_role.h): nothing of it stays beside the container. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd_message.h"
#include "base/self.h"
#include "runtime/executor.h"
#include "runtime/monitor/monitor.h"
#include "runtime/oci_role.h"

static int reply(int fd, int code, const struct error *e, const struct execution *x) {
    struct oci_role_reply m = {.code = code, .status = e->status, .pid = x->pid};
    FD_ROOM(1) room = {0};
    struct iovec part = {.iov_base = &m, .iov_len = sizeof(m)};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

    if (code < 0) {
        _cleanup_free_ char *text = error_sentence(e);

        (void)snprintf(m.text, sizeof(m.text), "%s", text);
    }
    fd_message_put(&header, &room, &x->console_fd, x->console_fd >= 0);
    return sendmsg(fd, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int carry_out(const int v[OCI_ROLE_ARGS], struct execution *x, struct error *e) {
    struct executor_io io = EXECUTOR_IO_INIT;
    struct plan plan;
    struct stat st;
    void *blob;
    int r;

    if (fstat(v[OCI_ROLE_PLAN], &st) < 0)
        return error_errno(e, -errno, "receive the plan");
    blob = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, v[OCI_ROLE_PLAN], 0);
    if (blob == MAP_FAILED)
        return error_errno(e, -errno, "receive the plan");
    r = plan_decode(blob, (size_t)st.st_size, &plan, e);
    if (r < 0)
        return r;
    io.terminal = v[OCI_ROLE_TERMINAL];
    if (!io.terminal) {
        io.in = 0;
        io.out = 1;
        io.err = 2;
    }
    io.init_run = init_run;
    io.preserve_fds = v[OCI_ROLE_PRESERVE];
    io.hold = v[OCI_ROLE_LISTEN] >= 0;
    io.start_fd = v[OCI_ROLE_LISTEN];
    return v[OCI_ROLE_PIDFD] >= 0 ? executor_exec(&plan, v[OCI_ROLE_PIDFD], &io, x, e) : executor_run(&plan, &io, x, e);
}

int role_oci(int argc, char **argv) {
    _cleanup_execution_ struct execution x = EXECUTION_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;
    int v[OCI_ROLE_ARGS];
    bool told;
    char go;
    int r;

    if (argc != OCI_ROLE_ARGS)
        return EXIT_ENGINE;
    for (int i = 0; i < OCI_ROLE_ARGS; i++)
        v[i] = (int)strtol(argv[i], NULL, 10);
    for (int i = 0; i <= OCI_ROLE_LOCK; i++)
        if (v[i] >= 0)
            (void)fcntl(v[i], F_SETFD, FD_CLOEXEC);
    if (v[OCI_ROLE_PIDFD] < 0) /* what the caller's death leaves is not added to */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (recv(v[OCI_ROLE_SOCKET], &go, 1, MSG_DONTWAIT) == 0) /* the caller is dead already */
        return EXIT_ENGINE;
    self_reset_signals(); /* the caller's choice of what to ignore is not the container's: shells cannot trap that */
    r = carry_out(v, &x, &e);
    told = reply(v[OCI_ROLE_SOCKET], r, &e, &x) == 0;
    if (r < 0)
        return EXIT_ENGINE;
    x.console_fd = fd_close(x.console_fd);
    if (!told || recv(v[OCI_ROLE_SOCKET], &go, 1, 0) != 1) { /* the caller died, and nobody else knows of what runs already */
        if (x.hold_fd < 0)
            (void)kill(x.pid, SIGKILL);
        return EXIT_ENGINE;
    }
    return x.hold_fd >= 0 && executor_release(&x, &e) < 0 ? EXIT_ENGINE : 0;
}
