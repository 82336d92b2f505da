#include "image/fetch.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/self.h"

struct fetcher {
    pid_t pid;
    int sock;
};

/* The child: the socket becomes FETCH_CONTROL_FD, the program is started with an empty environment (no proxy variable, no
 * LD_PRELOAD, no secret of the user's goes along). Only calls that are safe after fork. */
_Noreturn static void run_worker(int program, int sock) {
    static char name[] = "tare-fetch";
    char *const argv[] = {name, NULL}, *const envp[] = {NULL};

    if (sock == FETCH_CONTROL_FD) {
        if (fcntl(sock, F_SETFD, 0) < 0)
            _exit(127);
    } else {
        if (program == FETCH_CONTROL_FD && (program = fcntl(program, F_DUPFD_CLOEXEC, FETCH_CONTROL_FD + 1)) < 0)
            _exit(127);
        if (dup2(sock, FETCH_CONTROL_FD) < 0)
            _exit(127);
    }
    (void)syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
    _exit(127);
}

int fetcher_start(struct fetcher **ret, struct error *e) {
    _cleanup_fd_ int program = self_open_program("tare-fetch", e);
    struct fetcher *f;
    int pair[2];

    if (program < 0)
        return program;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(e, -errno, "make a socket pair");
    f = calloc(1, sizeof *f);
    if (!f)
        abort();
    f->sock = pair[0];
    f->pid = fork();
    if (!f->pid)
        run_worker(program, pair[1]);
    (void)fd_close(pair[1]);
    if (f->pid < 0) {
        int r = error_errno(e, -errno, "start tare-fetch");

        fetcher_free(f);
        return r;
    }
    *ret = f;
    return 0;
}

struct fetcher *fetcher_free(struct fetcher *f) {
    if (!f)
        return NULL;
    (void)fd_close(f->sock);
    if (f->pid > 0) {
        (void)kill(f->pid, SIGKILL); /* it holds nothing that wants an orderly end */
        while (waitpid(f->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    free(f);
    return NULL;
}

/* The socket broke: say how the worker ended. */
static int worker_lost(struct fetcher *f, int r, struct error *e) {
    int status = 0;

    if (r == -EBADMSG)
        return error_set(e, r, "tare-fetch sent an answer that makes no sense");
    if (waitpid(f->pid, &status, WNOHANG) == f->pid) {
        f->pid = -1;
        if (WIFSIGNALED(status))
            return error_set(e, -EIO, "tare-fetch was killed by signal %d", WTERMSIG(status));
        return error_set(e, -EIO, "tare-fetch ended with status %d", WEXITSTATUS(status));
    }
    return error_errno(e, r < 0 ? r : -EPIPE, "talk to tare-fetch");
}

int fetcher_do(struct fetcher *f, const struct fetch_request *request, int fd, struct arena *a, struct fetch_reply *ret,
               struct error *e) {
    _cleanup_buf_ struct buf out = BUF_WITH_MAX(FETCH_MESSAGE_MAX), in = BUF_WITH_MAX(FETCH_MESSAGE_MAX + 64);
    int r;

    fetch_request_encode(request, &out);
    r = fetch_send(f->sock, &out, fd);
    if (out.data)
        explicit_bzero(out.data, out.room); /* it may hold credentials */
    if (r >= 0)
        r = fetch_receive(f->sock, &in, NULL);
    if (r <= 0)
        return worker_lost(f, r, e);
    r = fetch_reply_decode(in.data, in.size, a, ret);
    return r < 0 ? worker_lost(f, r, e) : 0;
}

const char *fetch_header(const struct fetch_reply *reply, const char *name, size_t *from) {
    size_t n = strlen(name), i = from ? *from : 0;

    for (; i < reply->headers.n; i++) {
        const char *h = reply->headers.v[i];

        if (strncmp(h, name, n) || h[n] != ':')
            continue;
        if (from)
            *from = i + 1;
        return h + n + 1 + (h[n + 1] == ' ');
    }
    return NULL;
}
