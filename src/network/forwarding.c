#include "network/forwarding.h"

#include <fcntl.h>
#include <net/if.h>
#include <string.h>

#include "base/fs.h"
#include "base/lock.h"
#include "kernel/link.h"
#include "model/units.h"
#include "network/firewall.h"

#define RECORD_FILE     "forwarding"
#define SHARED_DIR      "/run"
#define SHARED_FILE     "tare-forwarding"
#define SHARED_LOCK     "tare-forwarding.lock"
#define RECORD_SIZE_MAX ((size_t)64 << 10)
#define SYSCTL_PATH_MAX 128

static void setting_path(char path[SYSCTL_PATH_MAX], const char *family, const char *ifname, const char *key) {
    (void)snprintf(path, SYSCTL_PATH_MAX, "/proc/sys/net/%s/conf/%s/%s", family, ifname, key);
}

/* The setting's number, or a negative errno. */
static int setting_read(const char *path) {
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[16] = "";
    int64_t value;

    if (fd < 0)
        return -errno;
    if (read(fd, text, sizeof(text) - 1) < 0)
        return -errno;
    text[strcspn(text, "\n")] = '\0';
    return int_parse(text, 0, INT16_MAX, &value) < 0 ? -EBADMSG : (int)value;
}

static int setting_write(const char *path, int value, struct error *e) {
    _cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    char text[16];
    int r;

    if (fd < 0)
        return error_errno(e, -errno, "open %s", path);
    r = fs_write_all(fd, text, (size_t)snprintf(text, sizeof(text), "%d\n", value));
    return r < 0 ? error_errno(e, r, "write %d to %s", value, path) : 0;
}

int forwarding_open_bridge(const char *bridge, bool ipv6, struct error *e) {
    static const struct {
        const char *family, *key;
        int value;
        bool must;
    } settings[] = {
        {"ipv4", "forwarding", 1, true},        {"ipv4", "route_localnet", 1, true}, {"ipv6", "accept_ra", 0, false},
        {"ipv6", "accept_dad", 0, false},       /* before its first port: for a second it would ask for no neighbour */
        {"ipv6", "force_forwarding", 1, false}, /* see forwarding_open_uplinks() for older kernels */
    };

    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        char path[SYSCTL_PATH_MAX];
        int r;

        if (!ipv6 && strcmp(settings[i].family, "ipv6") == 0)
            continue;
        setting_path(path, settings[i].family, bridge, settings[i].key);
        r = setting_write(path, settings[i].value, settings[i].must ? e : NULL);
        if (r < 0 && settings[i].must)
            return r;
    }
    return 0;
}

/* --- the host's own interfaces ------------------------------------------------------------------------------------------------ */

struct uplinks {
    struct arena *arena;
    struct strs names;
    struct list seen; /* unsigned: index of each, which the dump of the second family names again */
};

static int take_address(const struct link_address_info *info, void *arg) {
    struct uplinks *u = arg;
    char name[IF_NAMESIZE];
    bool link_local = info->prefix.address.family == IP_V6 && info->prefix.address.bytes[0] == 0xfe;

    if (link_local || ip_is_loopback(&info->prefix.address))
        return 0;
    for (size_t i = 0; i < u->seen.n; i++)
        if (*LIST_AT(unsigned, &u->seen, i) == info->index)
            return 0;
    *LIST_ADD(u->arena, unsigned, &u->seen) = info->index;
    if (link_name(info->index, name))
        strs_add(u->arena, &u->names, arena_strdup(u->arena, name));
    return 0;
}

/* Several roots share the host's interfaces: the first one switches, the last one switches back. So the record is the host's, not a
 * root's. An ordinary user's network namespace is his own, and so is his record. */
struct record_place {
    int dirfd, lock; /* owned */
    const char *file;
};

static void place_release(struct record_place *p) {
    p->lock = fd_close(p->lock);
    p->dirfd = fd_close(p->dirfd);
}

static int place_open(const struct roots *roots, struct record_place *ret, struct error *e) {
    bool shared = !roots->rootless;
    int r;

    ret->file = shared ? SHARED_FILE : RECORD_FILE;
    ret->dirfd = shared ? open(SHARED_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : fcntl(roots->run_fd, F_DUPFD_CLOEXEC, 3);
    if (ret->dirfd < 0)
        return error_errno(e, -errno, "open %s", shared ? SHARED_DIR : roots->run_root);
    r = lock_wait(ret->dirfd, shared ? SHARED_LOCK : RECORD_FILE ".lock", true, e);
    ret->lock = r < 0 ? -1 : r;
    return MIN_OF(r, 0);
}

static bool is_recorded(const struct buf *record, const char *path) {
    size_t n = strlen(path);

    for (const char *line = buf_text(record); *line; line = strchrnul(line, '\n') + (*strchrnul(line, '\n') != '\0'))
        if (strncmp(line, path, n) == 0 && line[n] == ' ')
            return true;
    return false;
}

struct change {
    const char *path;
    int value;
};

struct opening {
    struct arena *arena;
    const struct record_place *place;
    struct buf record;
    struct list changes; /* struct change: made once the record is written */
};

/* Wants one setting to be at least `value`. 1: it is so, or will be, by our doing; 0: it was so without us, or is not there. */
static int want(struct opening *o, const char *path, int value, struct error *e) {
    int now = setting_read(path);
    bool recorded = is_recorded(&o->record, path);

    if (now == -ENOENT)
        return 0;
    if (now < 0)
        return error_errno(e, now, "read %s", path);
    if (now < value) {
        *LIST_ADD(o->arena, struct change, &o->changes) = (struct change){arena_strdup(o->arena, path), value};
        if (!recorded)
            buf_printf(&o->record, "%s %d\n", path, now);
        return 1;
    }
    return recorded;
}

static int want_ipv6(struct opening *o, const char *ifname, struct error *e) {
    char path[SYSCTL_PATH_MAX];
    int r;

    setting_path(path, "ipv6", ifname, "force_forwarding");
    if (access(path, F_OK) == 0)
        return want(o, path, 1, e);
    setting_path(path, "ipv6", ifname, "accept_ra");
    if (setting_read(path) == 1) {
        r = want(o, path, 2, e);
        if (r < 0)
            return r;
    }
    setting_path(path, "ipv6", "all", "forwarding");
    return want(o, path, 1, e);
}

/* Writes down, then does. */
static int make_changes(const struct opening *o, struct error *e) {
    int r = 0;

    if (o->changes.n)
        r = fs_replace_at(o->place->dirfd, o->place->file, buf_text(&o->record), o->record.size, 0600, FS_NO_SYNC, e);
    for (size_t i = 0; r == 0 && i < o->changes.n; i++) {
        const struct change *change = LIST_AT(struct change, &o->changes, i);

        r = setting_write(change->path, change->value, e);
    }
    return r;
}

static int read_record(const struct record_place *place, struct buf *record, struct error *e) {
    int r = fs_read_at(place->dirfd, place->file, RECORD_SIZE_MAX, record, e);

    if (r != -ENOENT)
        return r < 0 ? error_wrap(e, r, "read where forwarding was switched on") : 0;
    error_release(e);
    return 0;
}

int forwarding_open_uplinks(const struct roots *roots, bool ipv6, struct arena *a, struct strs *ret, bool *ret_changed,
                            struct error *e) {
    _cleanup_(place_release) struct record_place place = {-1, -1, NULL};
    struct uplinks u = {.arena = a};
    struct opening o = {.arena = a, .place = &place};
    _cleanup_buf_ struct buf record = BUF_INIT;
    int r = link_each_address(take_address, &u, e);

    if (r == 0)
        r = place_open(roots, &place, e);
    if (r == 0)
        r = read_record(&place, &record, e);
    o.record = record;
    for (size_t i = 0; r == 0 && i < u.names.n; i++) {
        char path[SYSCTL_PATH_MAX];
        int ours4, ours6 = 0;

        setting_path(path, "ipv4", u.names.v[i], "forwarding");
        ours4 = want(&o, path, 1, e);
        if (ours4 >= 0 && ipv6)
            ours6 = want_ipv6(&o, u.names.v[i], e);
        r = MIN_OF(MIN_OF(ours4, ours6), 0);
        if (ours4 > 0 || ours6 > 0)
            strs_add(a, ret, u.names.v[i]);
    }
    if (r == 0)
        r = make_changes(&o, e);
    record = o.record; /* it may have moved while it grew */
    if (ret_changed)
        *ret_changed = o.changes.n > 0;
    return r < 0 ? error_wrap(e, r, "switch on forwarding") : 0;
}

static int look_for_others(const struct nft_chain_info *info, void *arg) {
    const char *own = arg;

    return (strcmp(info->table, "tare") == 0 || strncmp(info->table, "tare-", 5) == 0) && strcmp(info->table, own) != 0;
}

int forwarding_restore(const struct roots *roots, struct error *e) {
    _cleanup_(place_release) struct record_place place = {-1, -1, NULL};
    _cleanup_buf_ struct buf record = BUF_INIT;
    char table[FIREWALL_TABLE_MAX];
    int r = place_open(roots, &place, e);

    if (r == 0)
        r = read_record(&place, &record, e);
    if (r < 0 || record.size == 0)
        return r;
    firewall_table_name(roots, table);
    if (nft_each_chain(look_for_others, table, NULL) == 1)
        return 0; /* other roots still need it: they will switch it back */
    for (char *line = record.data, *end; line && *line; line = end ? end + 1 : NULL) {
        char *space;
        int64_t value;

        end = strchr(line, '\n');
        if (end)
            *end = '\0';
        space = strrchr(line, ' ');
        if (!space)
            continue;
        *space = '\0';
        if (int_parse(space + 1, 0, INT16_MAX, &value) < 0)
            continue;
        (void)setting_write(line, (int)value, NULL); /* an interface that is gone took its setting along */
    }
    return fs_unlink_at(place.dirfd, place.file, e);
}
