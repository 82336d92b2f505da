/* Reading the records of published ports: RUN_ROOT/ports/PROTOCOL-ADDRESS-PORT, symbolic links whose target says whose it is. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "model/units.h"
#include "network/port.h"

#define RECORD_MAX 512

struct listing {
    struct arena *arena;
    struct list *list;
};

static int record_parse(const char *file, char *text, struct arena *a, struct port_record *ret) {
    char protocol[8], ip[IP_TEXT_MAX], *field[5] = {NULL};
    struct port_record p = {0};
    int64_t target_port;
    unsigned port;

    if (sscanf(file, "%7[a-z]-%63[^-]-%u", protocol, ip, &port) != 3 || port > UINT16_MAX ||
        port_protocol_parse(protocol, strlen(protocol), &p.protocol, NULL) < 0)
        return -EINVAL;
    p.host_port = (uint16_t)port;
    for (unsigned i = 0; i < ARRAY_SIZE(field); i++) {
        field[i] = strsep(&text, "/");
        if (!field[i])
            return -EINVAL;
    }
    if (strcmp(ip, "any") != 0)
        (void)ip_parse(ip, &p.host_ip, NULL);
    (void)ip_parse(field[2], &p.target4, NULL);
    (void)ip_parse(field[3], &p.target6, NULL);
    if (int_parse(field[4], 1, UINT16_MAX, &target_port) < 0)
        return -EINVAL;
    p.container_port = (uint16_t)target_port;
    p.by_input = text && strcmp(text, PORT_BY_INPUT) == 0;
    p.left = text && strcmp(text, PORT_LEFT) == 0;
    p.container_id = arena_strdup(a, field[0]);
    p.container_name = arena_strdup(a, field[1]);
    *ret = p;
    return 0;
}

static int take_record(int dirfd, const char *name, void *arg, struct error *e) {
    struct listing *l = arg;
    char text[RECORD_MAX] = "";
    struct port_record p;
    ssize_t n = readlinkat(dirfd, name, text, sizeof(text) - 1);

    (void)e;
    if (n > 0 && record_parse(name, text, l->arena, &p) == 0)
        *LIST_ADD(l->arena, struct port_record, l->list) = p;
    return 0;
}

bool port_is_routed(const struct port_record *p) {
    return p->host_ip.family != IP_NONE && (ip_is_equal(&p->host_ip, &p->target4) || ip_is_equal(&p->host_ip, &p->target6));
}

int port_list(const struct roots *roots, struct arena *a, struct list *ret, struct error *e) {
    struct listing l = {a, ret};
    int r = fs_each(roots->run_fd, PORT_RECORDS, take_record, &l, e);

    if (r == -ENOENT) {
        error_release(e);
        return 0;
    }
    return r < 0 ? error_wrap(e, r, "list published ports") : 0;
}
