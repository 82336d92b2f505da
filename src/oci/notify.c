/* NOTIFY_SOCKET: who started us (a unit of type notify) wants to hear when the container is ready. Its socket is not the
 * container's to see: there is one in between, and READY= is all that goes through. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd_message.h"
#include "base/fs.h"
#include "oci/oci.h"

#define DIRECTORY          "notify" /* of the container's directory */
#define SOCKET_FILE        DIRECTORY "/notify.sock"
#define INSIDE             "/run/notify" /* as runc has it */
#define BARRIER_TIMEOUT_MS 30000         /* sd_notify_barrier(3): who does not know it never answers */

int oci_notify_prepare(struct oci_call *call, const struct oci_container *c, struct oci_spec *spec, struct error *e) {
    static const char *const options[] = {"bind", "nosuid", "noexec", "nodev", "ro"};
    _cleanup_free_ char *dir = fs_fd_path(c->dir_fd);
    struct oci_mount *m;

    if (!call->notify_socket || !oci_spec_namespace(spec, "mount"))
        return 0;
    if (!dir || mkdirat(c->dir_fd, DIRECTORY, 0755) < 0 || fchmodat(c->dir_fd, DIRECTORY, 0755, 0) < 0)
        return error_errno(e, dir ? -errno : -ENOMEM, "make a place for the container's NOTIFY_SOCKET");
    m = LIST_ADD(&call->arena, struct oci_mount, &spec->mounts);
    *m = (struct oci_mount){.destination = INSIDE, .source = arena_printf(&call->arena, "%s/" DIRECTORY, dir)};
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        strs_add(&call->arena, &m->options, options[i]);
    strs_add(&call->arena, &spec->process->env, "NOTIFY_SOCKET=" INSIDE "/notify.sock");
    return 0;
}

int oci_notify_listen(const struct oci_call *call, const struct oci_container *c, int *ret, struct error *e) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    _cleanup_fd_ int s = -1;

    if (!call->notify_socket || faccessat(c->dir_fd, DIRECTORY, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/" SOCKET_FILE, c->dir_fd);
    if (s < 0 || bind(s, (const struct sockaddr *)&at, sizeof(at)) < 0 || fchmodat(c->dir_fd, SOCKET_FILE, 0777, 0) < 0)
        return error_errno(e, -errno, "make the container's NOTIFY_SOCKET");
    *ret = TAKE_FD(s);
    return 0;
}

/* The READY=… among the lines of a message, ended; NULL: it says something else. */
static char *ready_line(char *text) {
    for (char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (strncmp(line, "READY=", 6) == 0) {
            line[strcspn(line, "\n")] = '\0';
            return line;
        }
    return NULL;
}

static int connect_host(const char *path) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const size_t n = strlen(path);
    int s = n < sizeof(to.sun_path) ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;

    if (s < 0)
        return s;
    memcpy(to.sun_path, path, n);
    if (*path == '@') /* an abstract one */
        to.sun_path[0] = '\0';
    return connect(s, (const struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) == 0 ? s : fd_close(s);
}

/* We are about to end, and who is told that another process counts from here on has to have taken that in. */
static void barrier(int host) {
    FD_ROOM(1) room = {0};
    struct iovec part = {.iov_base = (char[]){"BARRIER=1"}, .iov_len = 9};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    struct pollfd p = {.events = 0};
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return;
    fd_message_put(&m, &room, &pair[1], 1);
    p.fd = sendmsg(host, &m, MSG_NOSIGNAL) < 0 ? -1 : pair[0];
    fd_close(pair[1]);
    if (p.fd >= 0)
        (void)poll(&p, 1, BARRIER_TIMEOUT_MS);
    fd_close(pair[0]);
}

bool oci_notify_pass(const struct oci_call *call, int listener, int main_pid) {
    char text[4096], *line;
    ssize_t n = recv(listener, text, sizeof(text) - 1, 0);
    _cleanup_fd_ int host = -1;

    if (n < 0)
        return errno != EAGAIN && errno != EINTR;
    text[n] = '\0';
    line = ready_line(text);
    if (!line)
        return false;
    host = connect_host(call->notify_socket);
    if (host < 0 || send(host, line, strlen(line), MSG_NOSIGNAL) < 0 || main_pid == 0)
        return true;
    (void)snprintf(text, sizeof(text), "MAINPID=%d", main_pid);
    if (send(host, text, strlen(text), MSG_NOSIGNAL) >= 0)
        barrier(host);
    return true;
}

void oci_notify_wait(const struct oci_call *call, int listener, const struct oci_container *c) {
    struct pollfd p[] = {{.fd = listener, .events = POLLIN}, {.fd = oci_container_pidfd(c, NULL), .events = POLLIN}};
    bool done = listener < 0 || p[1].fd < 0;

    while (!done) {
        if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
            break;
        done = p[0].revents ? oci_notify_pass(call, listener, c->state.pid) : p[1].revents != 0;
    }
    fd_close(p[1].fd);
}
