#include "network/store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/lock.h"
#include "network/rootless.h"

#define NETWORK_FILE_MAX ((size_t)1 << 20)
#define DIRECTORY        "networks"

#define OPTION_BRIDGE "com.docker.network.bridge.name"
#define OPTION_MTU    "com.docker.network.driver.mtu"

/* --- files ---------------------------------------------------------------------------------------------------------------------
 */

static int open_networks(const struct roots *roots, struct error *e) {
    int fd = openat(roots->root_fd, DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0)
        return fd;
    if (mkdirat(roots->root_fd, DIRECTORY, 0700) < 0 && errno != EEXIST)
        return error_errno(e, -errno, "create directory %s/%s", roots->root, DIRECTORY);
    return fs_open_dir(roots->root_fd, DIRECTORY, e);
}

static int check(const struct network *n, const char *name, struct error *e) {
    if (n->format > NETWORK_FORMAT_VERSION)
        return error_set(e, -EPROTO, "network %s was written by a newer tare (format %u)", name, n->format);
    if (!n->id || !id_is_full(n->id) || strcmp(n->name, name) != 0 || !n->driver)
        return error_set(e, -EBADMSG, "the file of network %s is damaged", name);
    return 0;
}

int network_read(const struct roots *roots, const char *name, struct arena *a, struct network *ret, struct error *e) {
    char path[16 + NAME_MAX_LENGTH];
    _cleanup_buf_ struct buf text = BUF_INIT;
    struct network n;
    int r = name_check("network name", name, e);

    if (r < 0)
        return r;
    (void)snprintf(path, sizeof(path), DIRECTORY "/%s", name);
    r = fs_read_at(roots->root_fd, path, NETWORK_FILE_MAX, &text, e);
    if (r == -ENOENT)
        return error_set(e, r, "network %s not found", name);
    if (r == 0)
        r = json_decode(&network_table, buf_text(&text), text.size, a, &n, e);
    if (r == 0)
        r = check(&n, name, e);
    if (r < 0)
        return error_wrap(e, r, "read network %s", name);
    *ret = n;
    return 0;
}

int network_write(const struct roots *roots, const struct network *n, bool replace, struct error *e) {
    _cleanup_fd_ int fd = open_networks(roots, e);
    _cleanup_buf_ struct buf text = BUF_INIT;
    struct network stored = *n;
    int r;

    if (fd < 0)
        return fd;
    stored.format = NETWORK_FORMAT_VERSION;
    stored.containers = (struct list){0};
    json_encode(&network_table, &stored, 2, &text);
    buf_add_char(&text, '\n');
    r = (replace ? fs_publish_at : fs_create_at)(fd, n->name, buf_text(&text), text.size, 0600, FS_SYNC, e);
    if (r == -EEXIST)
        return error_set(e, r, "network with name %s already exists", n->name);
    return r < 0 ? error_wrap(e, r, "write network %s", n->name) : 0;
}

struct listing {
    const struct roots *roots;
    struct arena *arena;
    struct list *list;
    struct strs *damaged;
};

static int take_file(int dirfd, const char *name, void *arg, struct error *e) {
    struct listing *l = arg;
    struct network n;

    (void)dirfd;
    if (name[0] == '.')
        return 0;
    if (l->list->n == NETWORKS_MAX)
        return error_set(e, -E2BIG, "more than %d networks", NETWORKS_MAX);
    if (network_read(l->roots, name, l->arena, &n, NULL) == 0)
        *LIST_ADD(l->arena, struct network, l->list) = n;
    else if (l->damaged)
        strs_add(l->arena, l->damaged, arena_strdup(l->arena, name));
    return 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct network *)a)->name, ((const struct network *)b)->name);
}

int network_list(const struct roots *roots, struct arena *a, struct list *ret, struct strs *ret_damaged, struct error *e) {
    struct list list = {0};
    struct listing l = {roots, a, &list, ret_damaged};
    int r = fs_each(roots->root_fd, DIRECTORY, take_file, &l, e);

    if (r == -ENOENT)
        error_release(e);
    else if (r < 0)
        return error_wrap(e, r, "list networks");
    if (list.n)
        qsort(list.v, list.n, sizeof(struct network), by_name);
    *ret = list;
    return 0;
}

static int open_by_id(const struct roots *roots, const char *prefix, struct arena *a, struct network *ret, struct error *e) {
    struct list all = {0};
    const struct network *found = NULL;
    int r = network_list(roots, a, &all, NULL, e);

    if (r < 0)
        return r;
    for (size_t i = 0; i < all.n; i++) {
        const struct network *n = LIST_AT(struct network, &all, i);

        if (strncmp(n->id, prefix, strlen(prefix)) != 0)
            continue;
        if (found)
            return error_set(e, -ENOTUNIQ, "network %s is ambiguous (%d matches found on name or ID prefix)", prefix, 2);
        found = n;
    }
    if (!found)
        return error_set(e, -ENOENT, "network %s not found", prefix);
    *ret = *found;
    return 0;
}

int network_open(const struct roots *roots, const char *name_or_id, struct arena *a, struct network *ret, struct error *e) {
    int r = network_read(roots, name_or_id, a, ret, e);

    if (r != -ENOENT)
        return r;
    if (strcmp(name_or_id, NETWORK_DEFAULT) == 0) {
        error_release(e);
        return network_make_default(roots, a, ret, e);
    }
    if (!id_is_prefix(name_or_id))
        return r;
    error_release(e);
    return open_by_id(roots, name_or_id, a, ret, e);
}

int network_lock(const struct roots *roots, struct error *e) {
    return lock_wait(roots->run_fd, "network.lock", true, e);
}

/* --- what follows from a network ------------------------------------------------------------------------------------------------
 */

const char *network_option(const struct network *n, const char *key) {
    return map_get(&n->options, key);
}

bool network_option_is(const struct network *n, const char *key, bool otherwise) {
    const char *v = network_option(n, key);

    return v ? strcmp(v, "true") == 0 || strcmp(v, "1") == 0 : otherwise;
}

const char *network_bridge(const struct network *n, struct arena *a) {
    const char *name = network_option(n, OPTION_BRIDGE);

    return name ? name : arena_printf(a, "tn-%.12s", n->id);
}

uint32_t network_mtu(const struct roots *roots, const struct network *n) {
    const char *v = network_option(n, OPTION_MTU);

    return v ? (uint32_t)strtoul(v, NULL, 10) : roots->rootless && network_is_bridge(n) ? ROOTLESS_MTU : 0;
}

bool network_is_bridge(const struct network *n) {
    return strcmp(n->driver, "bridge") == 0;
}

int gateway_mode_parse(const char *text, enum gateway_mode *ret) {
    static const char *const names[] = {[GATEWAY_NAT] = "nat",
                                        [GATEWAY_UNPROTECTED] = "nat-unprotected",
                                        [GATEWAY_ROUTED] = "routed",
                                        [GATEWAY_ISOLATED] = "isolated"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum gateway_mode)i;
            return 0;
        }
    return -EINVAL;
}

enum gateway_mode network_gateway_mode(const struct network *n, enum ip_family family) {
    const char *text = network_option(n, family == IP_V6 ? OPTION_GATEWAY_MODE "6" : OPTION_GATEWAY_MODE "4");
    enum gateway_mode mode = GATEWAY_NAT;

    if (text)
        (void)gateway_mode_parse(text, &mode);
    return mode;
}

bool network_subnet(const struct network *n, enum ip_family family, struct subnet_plan *ret) {
    for (size_t i = 0; i < n->ipam.config.n; i++) {
        const struct network_subnet *s = LIST_AT(struct network_subnet, &n->ipam.config, i);
        struct subnet_plan plan = {.auxiliary = &s->auxiliary};

        if (!s->subnet || ip_prefix_parse(s->subnet, &plan.subnet, NULL) < 0 || plan.subnet.address.family != family)
            continue;
        plan.range = plan.subnet;
        if (s->ip_range)
            (void)ip_prefix_parse(s->ip_range, &plan.range, NULL);
        if (s->gateway)
            (void)ip_parse(s->gateway, &plan.gateway, NULL);
        *ret = plan;
        return true;
    }
    return false;
}

/* --- the default network
 * ---------------------------------------------------------------------------------------------------------- */

static bool host_has_ipv6(void) {
    return access("/proc/sys/net/ipv6/conf/all/forwarding", F_OK) == 0;
}

int network_make_default(const struct roots *roots, struct arena *a, struct network *ret, struct error *e) {
    _cleanup_fd_ int lock = network_lock(roots, e);
    char id[ID_LENGTH + 1], now[TIME_TEXT_MAX];
    struct network n = {
        .name = NETWORK_DEFAULT, .scope = "local", .driver = "bridge", .ipv4 = true, .ipv6 = host_has_ipv6(), .auto_subnet = true};
    int r;

    if (lock < 0)
        return lock;
    r = network_read(roots, NETWORK_DEFAULT, a, ret, e); /* made by somebody else while we waited? */
    if (r != -ENOENT)
        return r;
    error_release(e);
    r = id_new(id);
    if (r < 0)
        return error_errno(e, r, "make an id");
    time_format(clock_wall(), now);
    n.id = id;
    n.created = now;
    n.ipam.driver = "default";
    map_set(a, &n.options, OPTION_BRIDGE, roots->tag[0] ? arena_printf(a, "tare%s", roots->tag) : "tare0");
    r = network_plan_subnets(roots, &n, a, e);
    if (r == 0)
        r = network_write(roots, &n, false, e);
    if (r < 0)
        return error_wrap(e, r, "make the default network");
    n.id = arena_strdup(a, id);
    n.created = arena_strdup(a, now);
    *ret = n;
    return 0;
}
