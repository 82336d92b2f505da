#include "network/upstream.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "model/ip.h"

#define DNS_PORT      53
#define FILE_SIZE_MAX ((size_t)64 << 10)
#define HOST_FILE     "/etc/resolv.conf"
#define WORD_MAX      80

socklen_t upstream_size(const struct sockaddr_storage *server) {
    return server->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static void add_server(struct upstream *u, const char *text) {
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(DNS_PORT)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(DNS_PORT)};
    char address[WORD_MAX];
    size_t zone = strcspn(text, "%");
    struct ip_address ip;

    (void)snprintf(address, sizeof(address), "%.*s", (int)zone, text);
    if (u->n == UPSTREAM_MAX || ip_parse(address, &ip, NULL) < 0)
        return;
    if (ip.family == IP_V4) {
        memcpy(&four.sin_addr, ip.bytes, sizeof(four.sin_addr));
        memcpy(&u->servers[u->n++], &four, sizeof(four));
        return;
    }
    memcpy(&six.sin6_addr, ip.bytes, sizeof(six.sin6_addr));
    if (text[zone])
        six.sin6_scope_id = if_nametoindex(text + zone + 1);
    memcpy(&u->servers[u->n++], &six, sizeof(six));
}

void upstream_parse(struct upstream *u, const char *text) {
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        char key[WORD_MAX], value[WORD_MAX];
        int words = sscanf(line, "%79[^ \t\n] %79[^ \t\r\n;#]", key, value);

        if (words == 2 && strcmp(key, "nameserver") == 0)
            add_server(u, value);
        else if (words >= 1 && strcmp(key, "internal") == 0)
            u->internal = true;
    }
}

static bool is_same(const struct stat *a, const struct stat *b) {
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void upstream_refresh(struct upstream *u) {
    const struct {
        int dirfd;
        const char *path;
    } files[] = {{u->run_dirfd, NAMES_FILE}, {AT_FDCWD, HOST_FILE}};
    struct stat now[ARRAY_SIZE(files)] = {0};
    bool same = true;

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        (void)fstatat(files[i].dirfd, files[i].path, &now[i], 0);
        same = same && is_same(&now[i], &u->seen[i]);
    }
    if (same)
        return;
    memcpy(u->seen, now, sizeof(now));
    u->n = u->first = 0;
    u->internal = false;
    for (size_t i = 0; i < ARRAY_SIZE(files) && u->n == 0; i++) {
        _cleanup_buf_ struct buf text = BUF_INIT;

        if (fs_read_at(files[i].dirfd, files[i].path, FILE_SIZE_MAX, &text, NULL) == 0)
            upstream_parse(u, buf_text(&text));
    }
    if (u->n == 0)
        add_server(u, "127.0.0.1"); /* as resolv.conf(5) has it */
}
