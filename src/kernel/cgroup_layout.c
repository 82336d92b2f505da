#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/fs.h"
#include "kernel/cgroup.h"
#include "kernel/mountinfo.h"

#define CONTROLLERS_MAX 4096

/* One controller per enum value; `alias` is version 2's name where it differs. */
static const struct {
    const char *name, *alias;
} controllers[CGROUP_CONTROLLERS] = {
    [CGROUP_CPU] = {"cpu", NULL},
    [CGROUP_CPUACCT] = {"cpuacct", NULL},
    [CGROUP_CPUSET] = {"cpuset", NULL},
    [CGROUP_MEMORY] = {"memory", NULL},
    [CGROUP_PIDS] = {"pids", NULL},
    [CGROUP_IO] = {"blkio", "io"},
    [CGROUP_DEVICES] = {"devices", NULL},
    [CGROUP_FREEZER] = {"freezer", NULL},
    [CGROUP_HUGETLB] = {"hugetlb", NULL},
    [CGROUP_RDMA] = {"rdma", NULL},
    [CGROUP_NET_CLS] = {"net_cls", NULL},
    [CGROUP_NET_PRIO] = {"net_prio", NULL},
    [CGROUP_PERF_EVENT] = {"perf_event", NULL},
    [CGROUP_MISC] = {"misc", NULL},
};

/* The named hierarchy in which a systemd host keeps track of its services. A container left there would die with the session of who
 * started it. */
#define SYSTEMD_OPTION "name=systemd"

const char *cgroup_controller_name(enum cgroup_controller c) {
    return controllers[c].name;
}

static bool word_is(const char *word, size_t n, const char *text) {
    return text && strlen(text) == n && memcmp(word, text, n) == 0;
}

/* The set of controllers named in a list with the given separators; *ret_systemd: name=systemd was among them. */
static unsigned parse_controllers(const char *text, size_t n, const char *separators, bool *ret_systemd) {
    unsigned set = 0;

    for (size_t at = 0; at < n;) {
        size_t length = 0;

        while (at + length < n && !strchr(separators, text[at + length]))
            length++;
        for (int c = 0; c < CGROUP_CONTROLLERS; c++)
            if (word_is(text + at, length, controllers[c].name) || word_is(text + at, length, controllers[c].alias))
                set |= 1U << c;
        if (ret_systemd && word_is(text + at, length, SYSTEMD_OPTION))
            *ret_systemd = true;
        at += length + 1;
    }
    return set;
}

/* Where a hierarchy with these controllers already is, or CGROUP_NONE: one can be mounted at several places; the first counts. */
static int find_known(const struct cgroup_layout *l, bool unified, unsigned set, bool systemd) {
    for (int i = 0; i < l->count; i++)
        if (l->hierarchies[i].unified == unified &&
            (unified || (set ? (l->hierarchies[i].controllers & set) != 0 : systemd && l->hierarchies[i].controllers == 0)))
            return i;
    return CGROUP_NONE;
}

static void add_mount(struct cgroup_layout *l, const struct mountinfo_line *m) {
    bool systemd = false, unified = mountinfo_is(m->type, "cgroup2");
    unsigned set = unified ? 0 : parse_controllers(m->options.text, m->options.n, ",", &systemd);
    struct cgroup_hierarchy *h = &l->hierarchies[l->count];

    if (!unified && !mountinfo_is(m->type, "cgroup"))
        return;
    if ((!unified && set == 0 && !systemd) || find_known(l, unified, set, systemd) >= 0 || l->count == CGROUP_HIERARCHIES_MAX)
        return;
    if (!mountinfo_unescape(m->point, h->mount, sizeof(h->mount)))
        return;
    h->unified = unified;
    h->controllers = set;
    if (unified)
        l->unified = l->count;
    for (int c = 0; c < CGROUP_CONTROLLERS; c++)
        if (set & 1U << c)
            l->of[c] = (signed char)l->count;
    l->count++;
}

int cgroup_layout_parse(const char *mountinfo, const char *unified_controllers, struct cgroup_layout *ret, struct error *e) {
    struct cgroup_layout l = {.unified = CGROUP_NONE};
    struct mountinfo_line line;
    unsigned set;

    (void)e;
    memset(l.of, CGROUP_NONE, sizeof(l.of));
    while (mountinfo_next(&mountinfo, &line))
        add_mount(&l, &line);
    if (l.unified >= 0 && unified_controllers) {
        set = parse_controllers(unified_controllers, strlen(unified_controllers), " \n", NULL);
        for (int c = 0; c < CGROUP_CONTROLLERS; c++)
            if ((set & 1U << c) && l.of[c] < 0)
                l.of[c] = (signed char)l.unified;
        l.hierarchies[l.unified].controllers = set;
    }
    *ret = l;
    return 0;
}

/* A hierarchy that is mounted later needs a new directory in /sys/fs/cgroup, which changes its time; a file system mounted over it
 * is another device. So one stat(2) tells whether the file still holds, in another mount namespace as well. */
#define CACHE_DIR   "cache"
#define CACHE_FILE  "cgroup-layout"
#define CACHE_MAGIC 0x3170756f72676374ULL /* raised with every change of struct cgroup_layout */

struct layout_file {
    uint64_t magic;
    uint64_t size;
    uint64_t device, inode;
    int64_t seconds, nanoseconds;
    struct cgroup_layout layout;
};

static bool make_head(struct layout_file *ret) {
    struct stat st;

    if (stat("/sys/fs/cgroup", &st) < 0)
        return false;
    memset(ret, 0, sizeof(*ret));
    ret->magic = CACHE_MAGIC;
    ret->size = sizeof(*ret);
    ret->device = st.st_dev;
    ret->inode = st.st_ino;
    ret->seconds = st.st_mtim.tv_sec;
    ret->nanoseconds = st.st_mtim.tv_nsec;
    return true;
}

/* Where version 2 stands at the usual place it is the only one; so a host with the mounts of a thousand containers need not list
 * them. */
static int read_mounts(struct buf *out, struct error *e) {
    struct statfs fs;

    if (statfs("/sys/fs/cgroup", &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
        return mountinfo_read(out, e);
    buf_add_str(out, "1 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    return 0;
}

static int read_anew(struct cgroup_layout *ret, struct error *e) {
    _cleanup_buf_ struct buf mounts = BUF_INIT, names = BUF_INIT;
    _cleanup_fd_ int root = -1;
    struct cgroup_layout l = {.unified = CGROUP_NONE};
    int r = read_mounts(&mounts, e);

    if (r == 0)
        r = cgroup_layout_parse(buf_text(&mounts), NULL, &l, e);
    if (r < 0)
        return error_wrap(e, r, "find the cgroup hierarchies");
    if (l.unified >= 0) {
        root = open(l.hierarchies[l.unified].mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root >= 0 && fs_read_at(root, "cgroup.controllers", CONTROLLERS_MAX, &names, NULL) == 0)
            r = cgroup_layout_parse(buf_text(&mounts), buf_text(&names), &l, e);
    }
    if (r < 0)
        return r;
    *ret = l;
    return 0;
}

/* The mounts of a busy host are long to list, and a verb asks three times. */
int cgroup_layout_read(struct cgroup_layout *ret, struct error *e) {
    static struct layout_file last;
    struct layout_file head;
    const bool known = make_head(&head);
    int r;

    if (known && memcmp(&last, &head, offsetof(struct layout_file, layout)) == 0) {
        *ret = last.layout;
        return 0;
    }
    r = read_anew(ret, e);
    if (r < 0 || !known)
        return r;
    last = head;
    last.layout = *ret;
    return 0;
}

static bool is_plausible(const struct cgroup_layout *l) {
    bool good = l->count >= 0 && l->count <= CGROUP_HIERARCHIES_MAX && l->unified >= CGROUP_NONE && l->unified < l->count;

    for (int c = 0; c < CGROUP_CONTROLLERS; c++)
        good = good && l->of[c] >= CGROUP_NONE && l->of[c] < l->count;
    for (int i = 0; good && i < l->count; i++)
        good = l->hierarchies[i].mount[0] == '/' && memchr(l->hierarchies[i].mount, '\0', CGROUP_MOUNT_MAX);
    return good;
}

int cgroup_layout_load(int run_fd, struct cgroup_layout *ret, struct error *e) {
    struct layout_file head, file;
    bool known = make_head(&head);
    _cleanup_fd_ int fd = -1, dirfd = -1;
    int r;

    fd = known ? openat(run_fd, CACHE_DIR "/" CACHE_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (fd >= 0 && read(fd, &file, sizeof(file)) == (ssize_t)sizeof(file) &&
        memcmp(&file, &head, offsetof(struct layout_file, layout)) == 0 && is_plausible(&file.layout)) {
        *ret = file.layout;
        return 0;
    }
    r = cgroup_layout_read(ret, e);
    if (r < 0 || !known)
        return r;
    head.layout = *ret;
    (void)mkdirat(run_fd, CACHE_DIR, 0700);
    dirfd = fs_open_beneath(run_fd, CACHE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (dirfd >= 0) /* a cache that cannot be written only costs time */
        (void)fs_replace_at(dirfd, CACHE_FILE, &head, sizeof(head), 0600, FS_NO_SYNC, NULL);
    return 0;
}

const char *cgroup_layout_name(const struct cgroup_layout *l) {
    if (l->count == 0)
        return "none";
    if (l->unified < 0)
        return "v1";
    return l->count == 1 ? "v2" : "hybrid";
}

const char *cgroup_dir(const struct cgroup_layout *l, int hierarchy, const char *path, struct arena *a) {
    return arena_printf(a, "%s%s", l->hierarchies[hierarchy].mount, path);
}

static int check_parent(const char *parent, struct error *e) {
    size_t n;

    if (strlen(parent) > CGROUP_PATH_MAX - 128)
        return error_set(e, -ENAMETOOLONG, "the cgroup parent is longer than %d bytes", CGROUP_PATH_MAX - 128);
    for (const char *p = parent; *p; p += n) {
        p += *p == '/';
        n = strcspn(p, "/");
        if (n == 0 && (p[n] == '/' || p > parent + 1))
            return error_set(e, -EINVAL, "invalid cgroup parent \"%s\": an empty component", parent);
        if (word_is(p, n, ".") || word_is(p, n, ".."))
            return error_set(e, -EINVAL, "invalid cgroup parent \"%s\": it may not hold \".\" or \"..\"", parent);
    }
    if (strpbrk(parent, "\n\t"))
        return error_set(e, -EINVAL, "invalid cgroup parent: a control character");
    return 0;
}

/* systemd's rule: the slice a-b.slice lies in a.slice (systemd.slice(5)). */
static const char *expand_slice(const char *name, struct arena *a) {
    const char *path = "";

    for (const char *dash = strchr(name, '-'); dash; dash = strchr(dash + 1, '-'))
        path = arena_printf(a, "%s/%.*s.slice", path, (int)(dash - name), name);
    return arena_printf(a, "%s/%s", path, name);
}

static bool is_lone_slice(const char *parent) {
    size_t n = strlen(parent);

    return n > 6 && !strchr(parent, '/') && strcmp(parent + n - 6, ".slice") == 0;
}

int cgroup_path(const char *tag, const char *parent, const char *id, struct arena *a, const char **ret, struct error *e) {
    int r;

    if (!parent || !*parent) {
        *ret = arena_printf(a, "/tare%s/%s", tag, id);
        return 0;
    }
    r = check_parent(parent, e);
    if (r < 0)
        return r;
    if (is_lone_slice(parent))
        parent = expand_slice(parent, a);
    if (strcmp(parent, "/") == 0)
        *ret = arena_printf(a, "/%s", id);
    else
        *ret = arena_printf(a, "%s%s/%s", *parent == '/' ? "" : "/", parent, id);
    return 0;
}

const char *cgroup_monitor_path(const char *tag, struct arena *a) {
    return arena_printf(a, "/tare%s/monitors", tag);
}

void cgroup_layout_keep_writable(struct cgroup_layout *layout) {
    struct cgroup_layout kept = {.unified = CGROUP_NONE};

    memset(kept.of, CGROUP_NONE, sizeof(kept.of));
    for (int i = 0; i < layout->count; i++) {
        const struct cgroup_hierarchy *h = &layout->hierarchies[i];

        if (faccessat(AT_FDCWD, h->mount, W_OK, AT_EACCESS) < 0)
            continue;
        for (int c = 0; c < CGROUP_CONTROLLERS; c++)
            if (layout->of[c] == i)
                kept.of[c] = (signed char)kept.count;
        if (layout->unified == i)
            kept.unified = kept.count;
        kept.hierarchies[kept.count++] = *h;
    }
    *layout = kept;
}
