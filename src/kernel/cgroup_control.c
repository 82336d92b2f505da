/* What is done to a living group: freeze, kill, count, remove. */
#include <dirent.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/clock.h"
#include "base/fs.h"
#include "kernel/cgroup.h"
#include "kernel/cgroup_file.h"
#include "kernel/sys.h"

#define DEPTH_MAX    64                /* groups below each other that a container may have made */
#define PROCS_MAX    ((size_t)4 << 20) /* bytes of cgroup.procs */
#define KILL_ROUNDS  200
#define PAUSE_MIN_MS 1
#define PAUSE_MAX_MS 20

static int64_t now_ms(void) {
    return clock_monotonic_ns() / 1000000;
}

/* Waits a little longer each time; false when `deadline` (ms) has passed. */
static bool pause_until(int64_t deadline, int *pause_ms) {
    int64_t left = deadline - now_ms();

    if (left <= 0)
        return false;
    (void)poll(NULL, 0, (int)MIN_OF(left, *pause_ms));
    *pause_ms = MIN_OF(*pause_ms * 2, PAUSE_MAX_MS);
    return true;
}

/* The hierarchy that answers questions about members: version 2 where there is one, even without controllers. */
static int member_hierarchy(const struct cgroup_layout *l) {
    if (l->unified >= 0)
        return l->unified;
    if (l->of[CGROUP_FREEZER] >= 0)
        return l->of[CGROUP_FREEZER];
    return l->count > 0 ? 0 : CGROUP_NONE;
}

static int open_members(const struct cgroup_layout *l, const char *path) {
    int h = member_hierarchy(l);

    return h < 0 ? -ENOENT : cgroup_open_group(l, h, path);
}

bool cgroup_exists(const struct cgroup_layout *l, const char *path) {
    for (int i = 0; i < l->count; i++) {
        _cleanup_fd_ int fd = cgroup_open_group(l, i, path);

        if (fd >= 0)
            return true;
    }
    return false;
}

/* Calls fn for a group and every group below it, the innermost first. */
typedef int each_group_fn(int dirfd, void *arg);
static int each_group(int dirfd, unsigned depth, each_group_fn *fn, void *arg);

struct each_state {
    unsigned depth;
    each_group_fn *fn;
    void *arg;
};

static int each_entry(int dirfd, const char *name, void *arg, struct error *e) {
    const struct each_state *s = (const struct each_state *)arg;
    _cleanup_fd_ int fd = fs_open_beneath(dirfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

    (void)e;
    return fd < 0 ? 0 : each_group(fd, s->depth + 1, s->fn, s->arg);
}

static int each_group(int dirfd, unsigned depth, each_group_fn *fn, void *arg) {
    struct each_state state = {depth, fn, arg};
    struct stat st;
    int r = 0;

    if (depth > DEPTH_MAX)
        return -ELOOP;
    if (fstat(dirfd, &st) < 0)
        return -errno;
    if (st.st_nlink > 2) /* kernfs counts subdirectories: most groups have none */
        r = fs_each(dirfd, ".", each_entry, &state, NULL);
    return r ? r : fn(dirfd, arg);
}

struct pid_list {
    struct arena *arena;
    struct list *pids;
};

static int collect_pids(int dirfd, void *arg) {
    const struct pid_list *l = (const struct pid_list *)arg;
    _cleanup_buf_ struct buf text = BUF_INIT;
    _cleanup_fd_ int fd = sys_openat(dirfd, "cgroup.procs", O_RDONLY | O_CLOEXEC, 0);
    int r = fd < 0 ? fd : fs_read_fd(fd, PROCS_MAX, &text, NULL);

    if (r == -EOPNOTSUPP || r == -ENODEV) /* a threaded group; one that is being removed */
        return 0;
    for (const char *p = buf_text(&text); r == 0 && *p;) {
        pid_t pid = (pid_t)strtol(p, NULL, 10);

        if (pid > 0) /* 0: outside our pid namespace */
            *LIST_ADD(l->arena, pid_t, l->pids) = pid;
        p += strcspn(p, "\n");
        p += *p == '\n';
    }
    return r;
}

int cgroup_pids(const struct cgroup_layout *l, const char *path, struct arena *a, struct list *ret, struct error *e) {
    _cleanup_fd_ int dirfd = open_members(l, path);
    struct pid_list pids = {a, ret};
    int r = dirfd < 0 ? dirfd : each_group(dirfd, 0, collect_pids, &pids);

    return r < 0 ? error_errno(e, r, "list the processes of the group %s", path) : 0;
}

struct wanted {
    pid_t pid;
    int fd;
};

static int find_pid(int dirfd, void *arg) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct wanted *w = (struct wanted *)arg;
    struct list pids = {0};
    struct pid_list list = {&a, &pids};
    int r = collect_pids(dirfd, &list);

    for (size_t i = 0; i < pids.n && w->fd < 0; i++)
        if (*LIST_AT(pid_t, &pids, i) == w->pid)
            w->fd = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
    return r < 0 ? r : w->fd >= 0;
}

int cgroup_open_below(int group, pid_t pid) {
    struct wanted w = {pid, -ENOENT};
    char text[CGROUP_TEXT_MAX];
    struct stat st;

    if (fstat(group, &st) < 0 || st.st_nlink <= 2) /* nearly always: nothing is below */
        return -ENOENT;
    if (cgroup_read(group, "cgroup.subtree_control", text) < 0 || strspn(text, "\n") == strlen(text))
        return -ENOENT;
    (void)each_group(group, 0, find_pid, &w);
    return w.fd;
}

static bool has_processes(int dirfd) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    char text[CGROUP_TEXT_MAX];
    struct list pids = {0};
    struct pid_list list = {&a, &pids};
    uint64_t populated;

    if (cgroup_read(dirfd, "cgroup.events", text) == 0 && cgroup_find_number(text, "populated", &populated))
        return populated != 0;
    return each_group(dirfd, 0, collect_pids, &list) == 0 && pids.n > 0;
}

bool cgroup_is_populated(const struct cgroup_layout *l, const char *path) {
    _cleanup_fd_ int dirfd = open_members(l, path);

    return dirfd >= 0 && has_processes(dirfd);
}

/* ---- freezing ---- */

static int wait_for_event(int dirfd, const char *key, uint64_t wanted, int64_t deadline) {
    _cleanup_fd_ int fd = sys_openat(dirfd, "cgroup.events", O_RDONLY | O_CLOEXEC, 0);

    if (fd < 0)
        return fd;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLPRI};
        char text[CGROUP_TEXT_MAX];
        uint64_t value = 0;
        ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
        int64_t left = deadline - now_ms();

        if (n < 0)
            return -errno;
        text[n] = '\0';
        if (cgroup_find_number(text, key, &value) && value == wanted)
            return 0;
        if (left <= 0)
            return -ETIMEDOUT;
        if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
            return -errno;
    }
}

/* In version 1 a process that is being born may slip through, and the state stays FREEZING until it is written once more. */
static int freeze_v1(int dirfd, int64_t deadline) {
    char text[CGROUP_TEXT_MAX] = "";
    int pause_ms = PAUSE_MIN_MS, r;

    do {
        r = cgroup_write(dirfd, "freezer.state", "FROZEN");
        if (r == 0)
            r = cgroup_read(dirfd, "freezer.state", text);
        if (r < 0 || strncmp(text, "FROZEN", 6) == 0)
            return r;
    } while (pause_until(deadline, &pause_ms));
    return -ETIMEDOUT;
}

/* Opens the directory through which the group is frozen; *ret_v2 says by which file. */
static int open_freezer(const struct cgroup_layout *l, const char *path, bool *ret_v2) {
    int h = l->unified >= 0 ? l->unified : l->of[CGROUP_FREEZER];

    *ret_v2 = l->unified >= 0;
    return h < 0 ? -ENOTSUP : cgroup_open_group(l, h, path);
}

static int thaw(int dirfd, bool v2) {
    return v2 ? cgroup_write(dirfd, "cgroup.freeze", "0") : cgroup_write(dirfd, "freezer.state", "THAWED");
}

/* All processes of the host: whoever says so has lost a name. */
static bool is_root(const char *path) {
    return path[strspn(path, "/")] == '\0';
}

int cgroup_freeze(const struct cgroup_layout *l, const char *path, int timeout_ms, struct error *e) {
    int64_t deadline = now_ms() + timeout_ms;
    bool v2 = false;
    _cleanup_fd_ int dirfd = is_root(path) ? -EINVAL : open_freezer(l, path, &v2);
    int r = dirfd;

    if (r >= 0 && v2) {
        r = cgroup_write(dirfd, "cgroup.freeze", "1");
        if (r == 0)
            r = wait_for_event(dirfd, "frozen", 1, deadline);
    } else if (r >= 0) {
        r = freeze_v1(dirfd, deadline);
    }
    if (r == -ETIMEDOUT) {
        (void)thaw(dirfd, v2);
        return error_set(e, r, "freeze the group %s: a process did not stop within %d ms (it waits inside the kernel)", path,
                         timeout_ms);
    }
    return r < 0 ? error_errno(e, r, "freeze the group %s", path) : 0;
}

int cgroup_thaw(const struct cgroup_layout *l, const char *path, struct error *e) {
    bool v2;
    _cleanup_fd_ int dirfd = open_freezer(l, path, &v2);
    int r = dirfd < 0 ? dirfd : thaw(dirfd, v2);

    return r < 0 ? error_errno(e, r, "thaw the group %s", path) : 0;
}

/* ---- killing ---- */

/* Kills what is listed. A number may be taken by a stranger between the reading and the kill, so the processes are pinned by pidfd
 * first, and only those that a second reading still lists are killed. Returns how many were found, or a negative errno. */
static int kill_listed(int dirfd) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct list first = {0}, second = {0};
    struct pid_list list = {&a, &first};
    int *pidfds, r;

    r = each_group(dirfd, 0, collect_pids, &list);
    if (r < 0 || first.n == 0)
        return r;
    pidfds = arena_array(&a, int, first.n);
    for (size_t i = 0; i < first.n; i++)
        pidfds[i] = sys_pidfd_open(*LIST_AT(pid_t, &first, i), 0);
    list.pids = &second;
    r = each_group(dirfd, 0, collect_pids, &list);
    for (size_t i = 0, at = 0; i < first.n; i++) {
        pid_t pid = *LIST_AT(pid_t, &first, i);

        for (size_t tried = 0; r == 0 && pidfds[i] >= 0 && tried < second.n; tried++, at = (at + 1) % second.n)
            if (*LIST_AT(pid_t, &second, at) == pid) { /* both readings have nearly the same order */
                (void)sys_pidfd_send_signal(pidfds[i], SIGKILL, NULL, 0);
                break;
            }
        fd_close(pidfds[i]);
    }
    return r < 0 ? r : (int)first.n;
}

/* Kills until nobody is listed any more: processes may be born while we read. */
static int kill_rounds(int dirfd) {
    int64_t deadline = now_ms() + KILL_ROUNDS * PAUSE_MAX_MS;
    int pause_ms = PAUSE_MIN_MS, r;

    do {
        r = kill_listed(dirfd);
        if (r <= 0)
            return r;
        (void)thaw(dirfd, false); /* version 1: a frozen process does not even die. Other hierarchies have no such file */
    } while (pause_until(deadline, &pause_ms));
    return 0;
}

static int kill_dir(int dirfd) {
    int r = cgroup_write(dirfd, "cgroup.kill", "1");

    if (r == -EOPNOTSUPP || r == -ENOENT) /* threaded; version 1, or a kernel before 5.14 */
        r = kill_rounds(dirfd);
    return r == -ENODEV ? 0 : r;
}

int cgroup_kill(const struct cgroup_layout *l, const char *path, struct error *e) {
    _cleanup_fd_ int dirfd = is_root(path) ? -EINVAL : open_members(l, path), freezer = -1;
    int r;

    if (dirfd == -ENOENT)
        return 0;
    if (dirfd < 0)
        return error_errno(e, dirfd, "kill the group %s", path);
    if (l->unified < 0 && l->of[CGROUP_FREEZER] >= 0) /* nobody is born while the list is read */
        (void)freeze_v1(dirfd, now_ms() + PAUSE_MAX_MS);
    r = kill_dir(dirfd);
    if (l->of[CGROUP_FREEZER] >= 0) {
        freezer = cgroup_open_group(l, l->of[CGROUP_FREEZER], path);
        if (freezer >= 0)
            (void)thaw(freezer, false);
    }
    return r < 0 ? error_errno(e, r, "kill the group %s", path) : 0;
}

/* ---- removing ---- */

static int remove_below(int dirfd, const char *name, void *arg, struct error *e) {
    unsigned depth = *(const unsigned *)arg + 1;
    _cleanup_fd_ int fd = fs_open_beneath(dirfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

    (void)e;
    if (fd < 0 || depth > DEPTH_MAX)
        return 0; /* a control file */
    (void)fs_each(fd, ".", remove_below, &depth, NULL);
    (void)sys_unlinkat(dirfd, name, AT_REMOVEDIR);
    return 0;
}

static bool is_cgroup(int dirfd) {
    struct statfs fs;

    return sys_fstatfs(dirfd, &fs) == 0 &&
           ((unsigned)fs.f_type == CGROUP_SUPER_MAGIC || (unsigned)fs.f_type == CGROUP2_SUPER_MAGIC);
}

static int busy(const char *dir, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_fd_ int dirfd = cgroup_open_dir(dir);
    struct list pids = {0};
    struct pid_list list = {&a, &pids};

    if (dirfd >= 0 && each_group(dirfd, 0, collect_pids, &list) == 0 && pids.n > 0)
        return error_set(e, -EBUSY, "remove the group %s: process %d does not end (%zu in all)", dir, *LIST_AT(pid_t, &pids, 0),
                         pids.n);
    return error_errno(e, -EBUSY, "remove the group %s", dir);
}

int cgroup_remove_dir(const char *dir, int timeout_ms, struct error *e) {
    int64_t deadline = now_ms() + timeout_ms;
    int pause_ms = PAUSE_MIN_MS;

    for (;;) {
        int r = sys_unlinkat(AT_FDCWD, dir, AT_REMOVEDIR); /* the usual case: everybody has gone */
        _cleanup_fd_ int dirfd = -1;
        unsigned depth = 0;

        if (r == 0 || r == -ENOENT)
            return 0;
        if (r != -EBUSY)
            return error_errno(e, r, "remove the group %s", dir);
        dirfd = cgroup_open_dir(dir);
        if (dirfd < 0)
            continue;
        if (!is_cgroup(dirfd))
            return error_set(e, -ENOTDIR, "remove the group %s: it does not lie in a cgroup file system", dir);
        if (has_processes(dirfd))
            (void)kill_dir(dirfd);
        (void)fs_each(dirfd, ".", remove_below, &depth, NULL);
        if (!pause_until(deadline, &pause_ms))
            return busy(dir, e);
    }
}

int cgroup_remove(const struct cgroup_layout *l, const char *path, int timeout_ms, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    int first = 0, r;

    for (int i = 0; i < l->count; i++) {
        r = cgroup_remove_dir(cgroup_dir(l, i, path, &a), timeout_ms, first < 0 ? NULL : e);
        if (r < 0 && first == 0)
            first = r;
    }
    return first;
}
