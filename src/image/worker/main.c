#include <locale.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "image/worker/worker.h"

static const struct {
    const char *name;
    int (*confine)(const struct worker_request *request, struct error *e);
    int (*run)(const struct worker_request *request, struct worker_message *result, struct error *e);
} roles[] = {
    {"inflate", inflate_confine, inflate_run},
    {"unpack", unpack_confine, unpack_run},
};

void worker_send(const struct worker_message *message) {
    /* A progress message that does not fit is no loss; the last one waits. */
    int flags = MSG_NOSIGNAL | (message->kind == WORKER_PROGRESS ? MSG_DONTWAIT : 0);

    while (send(WORKER_FD_SOCKET, message, sizeof(*message), flags) < 0 && errno == EINTR)
        ;
}

int worker_receive_lowers(int fds[WORKER_LOWERS_MAX], struct error *e) {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * WORKER_LOWERS_MAX)];
    char byte;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c;
    size_t n;

    if (recvmsg(WORKER_FD_SOCKET, &m, MSG_CMSG_CLOEXEC) != 1)
        return error_set(e, -EPIPE, "the engine is gone");
    c = CMSG_FIRSTHDR(&m);
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return 0;
    n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(c), n * sizeof(int));
    return (int)n;
}

static int work(size_t role, struct worker_message *result, struct error *e) {
    struct worker_request request;
    int r;

    if (recv(WORKER_FD_SOCKET, &request, sizeof(request), 0) != sizeof(request))
        return error_set(e, -EPROTO, "no request from the engine");
    r = roles[role].confine(&request, e);
    if (r < 0)
        return r;
    return roles[role].run(&request, result, e);
}

int main(int argc, char **argv) {
    _cleanup_error_ struct error e = ERROR_INIT;
    struct worker_message result = {.kind = WORKER_DONE};

    umask(0);
    /* libarchive translates pax headers, which are UTF-8, into the locale's characters: only UTF-8 leaves them as they are. */
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(roles); i++)
        if (strcmp(argv[1], roles[i].name) == 0) {
            result.status = work(i, &result, &e);
            if (result.status < 0)
                (void)snprintf(result.text, sizeof(result.text), "%s", e.text ? e.text : errno_text(result.status));
            worker_send(&result);
            return result.status < 0 ? 1 : 0;
        }
    fputs("tare-unpack is started by tare\n", stderr);
    return 2;
}
