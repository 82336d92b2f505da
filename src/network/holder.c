#include "network/holder.h"

#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "model/port.h"

#define TABLE_MAX  ((size_t)16 << 20) /* of /proc/net/tcp */
#define TCP_LISTEN 10

/* The inode of a socket at the port, 0 when there is none. Lines: "sl local_address:port remote:port st …uid timeout inode". */
static uint64_t find_inode(const char *path, uint16_t port, bool stream) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    uint64_t found = 0;

    if (fs_read_at(AT_FDCWD, path, TABLE_MAX, &text, NULL) < 0)
        return 0;
    for (const char *line = strchr(buf_text(&text), '\n'); line && line[1] && !found; line = strchr(line + 1, '\n')) {
        unsigned local, state;
        uint64_t inode;

        if (sscanf(line + 1, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*u %*d %" SCNu64, &local, &state, &inode) ==
                3 &&
            local == port && (!stream || state == TCP_LISTEN || state == 7))
            found = inode;
    }
    return found;
}

struct search {
    char target[48]; /* "socket:[123]" */
    char pid[16];
};

static int look_at_fd(int dirfd, const char *name, void *arg, struct error *e) {
    const struct search *s = arg;
    char text[sizeof(s->target)];
    ssize_t n = readlinkat(dirfd, name, text, sizeof(text) - 1);

    (void)e;
    if (n < 0)
        return 0;
    text[n] = '\0';
    return strcmp(text, s->target) == 0;
}

static int look_at_process(int dirfd, const char *name, void *arg, struct error *e) {
    struct search *s = arg;
    char path[32];

    (void)e;
    if (name[0] < '0' || name[0] > '9')
        return 0;
    (void)snprintf(path, sizeof(path), "%.15s/fd", name);
    if (fs_each(dirfd, path, look_at_fd, s, NULL) != 1)
        return 0;
    (void)snprintf(s->pid, sizeof(s->pid), "%.15s", name);
    return 1;
}

int holder_error(uint8_t protocol, uint16_t port, struct error *e) {
    static const char *const tables[][2] = {{"/proc/net/tcp", "/proc/net/tcp6"}, {"/proc/net/udp", "/proc/net/udp6"}};
    bool stream = protocol == IPPROTO_TCP;
    _cleanup_buf_ struct buf name = BUF_INIT;
    struct search s = {0};
    char path[64];
    uint64_t inode = find_inode(tables[!stream][0], port, stream);

    if (!inode)
        inode = find_inode(tables[!stream][1], port, stream);
    (void)snprintf(s.target, sizeof(s.target), "socket:[%" PRIu64 "]", inode);
    if (!inode || fs_each(AT_FDCWD, "/proc", look_at_process, &s, NULL) != 1)
        return error_set(e, -EADDRINUSE, "port %u/%s is in use by another process", port, port_protocol_name(protocol));
    (void)snprintf(path, sizeof(path), "/proc/%s/comm", s.pid);
    (void)fs_read_at(AT_FDCWD, path, 64, &name, NULL);
    return error_set(e, -EADDRINUSE, "port %u/%s is in use by %.*s (pid %s)", port, port_protocol_name(protocol),
                     (int)strcspn(buf_text(&name), "\n"), buf_text(&name), s.pid);
}
