#include "network/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"

#define TABLE_MAX       ((size_t)16 << 20)
#define STATE_LISTEN    10
#define STATE_UNCONNECT 7 /* of UDP sockets that nobody is connected to */
#define ADDRESS_MAX     33

/* Addresses stand there as words of the machine's byte order, in hexadecimal digits. */
static bool is_loopback(const char *address) {
    return strlen(address) == 8 ? strcmp(address + 6, "7F") == 0 : strcmp(address, "00000000000000000000000001000000") == 0;
}

static enum listener look_at(pid_t pid, const char *table, uint16_t port, unsigned wanted) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    enum listener found = LISTENER_NONE;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, table);
    if (fs_read_at(AT_FDCWD, path, TABLE_MAX, &text, NULL) < 0)
        return LISTENER_UNKNOWN;
    for (const char *line = strchr(buf_text(&text), '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        char address[ADDRESS_MAX];
        unsigned local, state;

        if (sscanf(line + 1, " %*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x", address, &local, &state) != 3 || local != port ||
            state != wanted)
            continue;
        if (!is_loopback(address))
            return LISTENER_OPEN;
        found = LISTENER_LOOPBACK;
    }
    return found;
}

enum listener listener_look(pid_t pid, uint8_t protocol, uint16_t port) {
    bool tcp = protocol == IPPROTO_TCP;
    enum listener four, six;

    if (!tcp && protocol != IPPROTO_UDP)
        return LISTENER_UNKNOWN;
    four = look_at(pid, tcp ? "tcp" : "udp", port, tcp ? STATE_LISTEN : STATE_UNCONNECT);
    six = look_at(pid, tcp ? "tcp6" : "udp6", port, tcp ? STATE_LISTEN : STATE_UNCONNECT);
    return six > four ? six : four;
}
