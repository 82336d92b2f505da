#include "network/lease.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "base/id.h"

#define RECORD_MAX  4000 /* a symbolic link's target ends at 4095 bytes */
#define CURSOR_FILE ".cursor"

/* --- records: fields separated by bars, which occur in none of them ------------------------------------------------------------
 */

static void record_format(const struct lease_owner *owner, struct buf *out) {
    buf_printf(out, "%s|%s|%s|%s|%s|%s|%s|%s|", owner->container_id, owner->container_name ? owner->container_name : "",
               owner->ifname, owner->endpoint_id, owner->mac, owner->ip, owner->ip6, owner->link_local ? owner->link_local : "");
    for (size_t i = 0; i < owner->aliases.n; i++)
        buf_printf(out, "%s%s", i ? "," : "", owner->aliases.v[i]);
}

static const char *next_field(struct arena *a, const char **at, char separator) {
    const char *start = *at, *end = strchrnul(start, separator);

    *at = *end ? end + 1 : end;
    return arena_strndup(a, start, (size_t)(end - start));
}

static void record_parse(struct arena *a, const char *text, struct lease_owner *ret) {
    *ret = (struct lease_owner){0};
    ret->container_id = next_field(a, &text, '|');
    ret->container_name = next_field(a, &text, '|');
    ret->ifname = next_field(a, &text, '|');
    ret->endpoint_id = next_field(a, &text, '|');
    ret->mac = next_field(a, &text, '|');
    ret->ip = next_field(a, &text, '|');
    ret->ip6 = next_field(a, &text, '|');
    ret->link_local = next_field(a, &text, '|');
    while (*text)
        strs_add(a, &ret->aliases, next_field(a, &text, ','));
}

static ssize_t record_read(int dirfd, const char *name, char text[RECORD_MAX + 1]) {
    ssize_t n = readlinkat(dirfd, name, text, RECORD_MAX);

    if (n < 0)
        return -errno;
    text[n] = '\0';
    return n;
}

/* --- taking ------------------------------------------------------------------------------------------------------------------ */

int lease_open_dir(const struct roots *roots, const char *network, struct error *e) {
    char path[16 + NAME_MAX_LENGTH];
    int fd;

    (void)snprintf(path, sizeof(path), "leases/%.*s", NAME_MAX_LENGTH, network);
    fd = openat(roots->run_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    if (mkdirat(roots->run_fd, "leases", 0700) < 0 && errno != EEXIST)
        return error_errno(e, -errno, "create directory leases");
    if (mkdirat(roots->run_fd, path, 0700) < 0 && errno != EEXIST)
        return error_errno(e, -errno, "create directory %s", path);
    return fs_open_dir(roots->run_fd, path, e);
}

bool lease_owner_exists(const struct roots *roots, const char *container_id) {
    char path[32 + ID_LENGTH];
    struct stat st;

    (void)snprintf(path, sizeof(path), "containers/%.*s", ID_LENGTH, container_id);
    if (fstatat(roots->run_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    (void)snprintf(path, sizeof(path), "pending/%.*s", ID_LENGTH, container_id);
    return fstatat(roots->run_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The address is taken: by whom? A dead owner's lease is exchanged for ours in one step and then looked at, since between seeing
 * him dead and removing his lease somebody else may have taken the address: then it is exchanged back. The name is never free
 * meanwhile. */
static int take_over(const struct roots *roots, int dirfd, const char *name, const char *record, const char *container_id,
                     struct error *e) {
    char held[RECORD_MAX + 1], replaced[RECORD_MAX + 1], owner[ID_LENGTH + 1] = "", owner_name[NAME_MAX_LENGTH + 1] = "", own[64];
    int r = 0;

    if (record_read(dirfd, name, held) < 0)
        return symlinkat(record, dirfd, name) == 0 ? 0 : error_errno(e, -EADDRINUSE, "take address %s", name);
    (void)sscanf(held, "%64[^|]|%128[^|]", owner, owner_name);
    if (strcmp(owner, container_id) != 0 && lease_owner_exists(roots, owner))
        return error_set(e, -EADDRINUSE, "address %s is in use by container %s", name, owner_name[0] ? owner_name : owner);
    (void)snprintf(own, sizeof(own), ".%.12s-%d", container_id, getpid());
    (void)unlinkat(dirfd, own, 0);
    if (symlinkat(record, dirfd, own) < 0)
        return error_errno(e, -errno, "take address %s", name);
    if (syscall(SYS_renameat2, dirfd, own, dirfd, name, RENAME_EXCHANGE) < 0) {
        r = error_errno(e, errno == ENOENT ? -EADDRINUSE : -errno, "take address %s", name);
    } else if (record_read(dirfd, own, replaced) < 0 || strcmp(held, replaced) != 0) {
        (void)syscall(SYS_renameat2, dirfd, own, dirfd, name, RENAME_EXCHANGE);
        r = error_set(e, -EADDRINUSE, "address %s was taken by another container just now", name);
    }
    (void)unlinkat(dirfd, own, 0);
    return r;
}

int lease_take(const struct roots *roots, int dirfd, const struct ip_address *address, const struct lease_owner *owner,
               const struct ip_address *like, struct error *e) {
    _cleanup_buf_ struct buf record = BUF_WITH_MAX(RECORD_MAX);
    char name[IP_TEXT_MAX], like_name[IP_TEXT_MAX];

    ip_format(address, name);
    record_format(owner, &record);
    if (record.failed)
        return error_set(e, -E2BIG, "the aliases of container %s are too long together", owner->container_name);
    /* A hard link to the link: on a run root that lies on a disk a second long target would cost a block and 0.1 ms. */
    if (like ? linkat(dirfd, ip_format(like, like_name), dirfd, name, 0) == 0 : symlinkat(buf_text(&record), dirfd, name) == 0)
        return 0;
    if (errno != EEXIST)
        return error_errno(e, -errno, "take address %s", name);
    return take_over(roots, dirfd, name, buf_text(&record), owner->container_id, e);
}

int lease_free(int dirfd, const struct ip_address *address, struct error *e) {
    char name[IP_TEXT_MAX];

    return fs_unlink_at(dirfd, ip_format(address, name), e);
}

uint64_t lease_cursor(int dirfd, uint64_t next, bool write) {
    _cleanup_fd_ int fd = openat(dirfd, CURSOR_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    uint64_t value = 0;

    /* Two processes that read the same value both try the same address first; the lease itself decides. So no lock here. */
    if (fd < 0)
        return 0;
    if (write)
        return pwrite(fd, &next, sizeof(next), 0) == sizeof(next) ? next : 0;
    return pread(fd, &value, sizeof(value), 0) == sizeof(value) ? value : 0;
}

/* --- listing ----------------------------------------------------------------------------------------------------------------- */

struct listing {
    struct arena *arena;
    struct list *list;
};

static int take_entry(int dirfd, const char *name, void *arg, struct error *e) {
    struct listing *l = arg;
    struct ip_address address;
    char text[RECORD_MAX + 1];
    struct lease *lease;

    (void)e;
    if (name[0] == '.' || ip_parse(name, &address, NULL) < 0 || record_read(dirfd, name, text) < 0)
        return 0;
    lease = LIST_ADD(l->arena, struct lease, l->list);
    lease->address = address;
    record_parse(l->arena, text, &lease->owner);
    return 0;
}

int lease_list(const struct roots *roots, const char *network, struct arena *a, struct list *ret, struct error *e) {
    struct listing l = {a, ret};
    char path[16 + NAME_MAX_LENGTH];
    int r;

    (void)snprintf(path, sizeof(path), "leases/%.*s", NAME_MAX_LENGTH, network);
    r = fs_each(roots->run_fd, path, take_entry, &l, e);
    if (r == -ENOENT) {
        error_release(e);
        return 0;
    }
    return r;
}

/* --- of a killed command ----------------------------------------------------------------------------------------------------- */

struct forgetting {
    const char *id, *but, *prefix; /* prefix: the directory's absolute path with its slash */
    char separator;
};

static int forget_entry(int dirfd, const char *name, void *arg, struct error *e _unused_) {
    const struct forgetting *f = arg;
    char text[RECORD_MAX + 1], path[PATH_MAX];
    size_t n = strlen(f->id);

    if (record_read(dirfd, name, text) < 0 || strncmp(text, f->id, n) != 0 || text[n] != f->separator)
        return 0;
    /* A path ends at a tab there: its arguments follow. */
    if (snprintf(path, sizeof(path), "%s%s\t", f->prefix, name) < (int)sizeof(path) && !strstr(f->but, path))
        (void)unlinkat(dirfd, name, 0);
    return 0;
}

void lease_forget_in(const struct roots *roots, const char *directory, char separator, const char *container_id, const char *but) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct forgetting f = {container_id, but, arena_printf(&a, "%s/%s/", roots->run_root, directory), separator};

    (void)fs_each(roots->run_fd, directory, forget_entry, &f, NULL);
}

struct forgetting_all {
    const struct roots *roots;
    const char *id, *but;
};

static int forget_network(int dirfd _unused_, const char *name, void *arg, struct error *e _unused_) {
    const struct forgetting_all *f = arg;
    char directory[16 + NAME_MAX_LENGTH];

    (void)snprintf(directory, sizeof(directory), "leases/%.*s", NAME_MAX_LENGTH, name);
    lease_forget_in(f->roots, directory, '|', f->id, f->but);
    return 0;
}

void lease_forget(const struct roots *roots, const char *container_id, const char *but) {
    struct forgetting_all f = {roots, container_id, but};

    (void)fs_each(roots->run_fd, "leases", forget_network, &f, NULL);
}
