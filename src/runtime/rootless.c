#include "runtime/rootless.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/lock.h"
#include "kernel/sys.h"
#include "runtime/state.h"

#define TEXT_MAX_BYTES ((size_t)1 << 20) /* of /etc/passwd, /etc/subuid */
#define SAID_MAX       512               /* of what newuidmap says */
#define ALL_IDS        UINT32_MAX
#define PASSWD_UID     2 /* fields of a line */
#define PASSWD_HOME    5
#define KEEPER_LOCK    "netns.keeper" /* network/rootless.h */

/* ---- Texts ---- */

static bool parse_u32(const char *s, size_t n, uint32_t *ret) {
    uint64_t v = 0;

    if (n == 0 || n > 10)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(s[i] - '0');
    }
    if (v >= UINT32_MAX)
        return false;
    *ret = (uint32_t)v;
    return true;
}

static bool range_is_safe(uint32_t start, uint32_t count, uid_t uid) {
    return count > 0 && start > 0 && UINT32_MAX - start >= count && (uid < start || uid - start >= count);
}

/* "name:start:count" */
static bool parse_range(const char *line, size_t n, const char *name, uid_t uid, struct id_range *ret) {
    const char *first = memchr(line, ':', n);
    const char *second = first ? memchr(first + 1, ':', n - (size_t)(first + 1 - line)) : NULL;
    uint32_t number;
    bool mine;

    if (!second)
        return false;
    mine = (name && strlen(name) == (size_t)(first - line) && memcmp(name, line, (size_t)(first - line)) == 0) ||
           (parse_u32(line, (size_t)(first - line), &number) && number == uid);
    return mine && parse_u32(first + 1, (size_t)(second - first - 1), &ret->start) &&
           parse_u32(second + 1, n - (size_t)(second + 1 - line), &ret->count) && range_is_safe(ret->start, ret->count, uid);
}

size_t rootless_ranges(const char *text, const char *name, uid_t uid, struct id_range ranges[ROOTLESS_RANGES_MAX]) {
    size_t found = 0;

    while (*text && found < ROOTLESS_RANGES_MAX) {
        size_t n = strcspn(text, "\n");

        if (parse_range(text, n, name, uid, &ranges[found]))
            found++;
        text += n + (text[n] == '\n');
    }
    return found;
}

uint32_t rootless_ids_mapped(const char *uid_map) {
    unsigned long long inside, outside, count, all = 0;
    int n = 0;

    while (sscanf(uid_map, "%llu %llu %llu%n", &inside, &outside, &count, &n) == 3) {
        if (inside == 0 && outside == 0 && count == UINT32_MAX)
            return ALL_IDS;
        all += count;
        uid_map += n;
    }
    return all > UINT32_MAX - 1 ? UINT32_MAX - 1 : (uint32_t)all;
}

void rootless_host_user(uid_t uid, struct host_user *ret) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    *ret = (struct host_user){{0}, {0}};
    if (fs_read_at(AT_FDCWD, "/etc/passwd", TEXT_MAX_BYTES, &text, NULL) < 0)
        return;
    for (const char *line = buf_text(&text), *end; *line; line = end + (*end == '\n')) {
        const char *field[PASSWD_HOME + 1];
        size_t n = 0;
        uint32_t number;

        end = line + strcspn(line, "\n");
        for (const char *p = line; n <= PASSWD_HOME && p <= end; p += strcspn(p, ":\n") + 1)
            field[n++] = p;
        if (n <= PASSWD_UID || !parse_u32(field[PASSWD_UID], strcspn(field[PASSWD_UID], ":\n"), &number) || number != uid ||
            strcspn(line, ":") >= sizeof(ret->name))
            continue;
        (void)snprintf(ret->name, sizeof(ret->name), "%.*s", (int)strcspn(line, ":"), line);
        if (n > PASSWD_HOME)
            (void)snprintf(ret->home, sizeof(ret->home), "%.*s", (int)strcspn(field[PASSWD_HOME], ":\n"), field[PASSWD_HOME]);
        return;
    }
}

static size_t read_ranges(const char *file, const char *name, uid_t uid, struct id_range ranges[ROOTLESS_RANGES_MAX]) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    if (fs_read_at(AT_FDCWD, file, TEXT_MAX_BYTES, &text, NULL) < 0)
        return 0;
    return rootless_ranges(buf_text(&text), *name ? name : NULL, uid, ranges);
}

/* ---- newuidmap, newgidmap: run by a helper outside the new namespace ---- */

#define MAP_ARGS (2 + 3 * (ROOTLESS_RANGES_MAX + 1) + 1)

struct map_command {
    char *program; /* absolute; NULL = not installed */
    char *argv[MAP_ARGS];
    char words[MAP_ARGS][12];
    size_t n;
};

static char *find_program(const char *name) {
    static const char *const directories[] = {"/usr/bin", "/bin", "/usr/local/bin"};

    for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
        char path[64];

        snprintf(path, sizeof(path), "%s/%s", directories[i], name);
        if (faccessat(AT_FDCWD, path, X_OK, 0) == 0)
            return strdup(path);
    }
    return NULL;
}

static void command_word(struct map_command *c, uint32_t number) {
    snprintf(c->words[c->n], sizeof(c->words[0]), "%u", number);
    c->argv[c->n] = c->words[c->n];
    c->n++;
}

/* "newuidmap PID 0 UID 1 1 START COUNT …": the user's own id becomes 0, the ranges follow. Returns how many ids that are. */
static uint32_t command_build(struct map_command *c, const char *name, pid_t pid, uid_t own, const struct id_range *ranges,
                              size_t n) {
    uint32_t next = 1;

    c->program = find_program(name);
    c->argv[c->n++] = c->program;
    command_word(c, (uint32_t)pid);
    command_word(c, 0);
    command_word(c, own);
    command_word(c, 1);
    for (size_t i = 0; i < n && ranges[i].count < UINT32_MAX - next; i++) {
        command_word(c, next);
        command_word(c, ranges[i].start);
        command_word(c, ranges[i].count);
        next += ranges[i].count;
    }
    c->argv[c->n] = NULL;
    return next;
}

static int command_run(struct map_command *c, int said) {
    char *const environment[] = {NULL};
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        (void)dup2(said, STDERR_FILENO);
        execve(c->program, c->argv, environment);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

struct helper {
    pid_t pid;
    int go;   /* written when the namespace is there */
    int said; /* what the commands wrote to standard error, until the helper ends */
};

static int helper_start(struct map_command *uids, struct map_command *gids, struct helper *ret) {
    int go[2], said[2];
    pid_t pid;

    if (pipe2(go, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(said, O_CLOEXEC) < 0) {
        fd_close(go[0]);
        fd_close(go[1]);
        return -errno;
    }
    pid = fork();
    if (pid == 0) {
        char word;

        close(go[1]);
        if (read(go[0], &word, 1) != 1) /* the namespace was refused */
            _exit(0);
        _exit(command_run(uids, said[1]) == 0 && command_run(gids, said[1]) == 0 ? 0 : 1);
    }
    fd_close(go[0]);
    fd_close(said[1]);
    *ret = (struct helper){pid, go[1], said[0]};
    return pid < 0 ? -errno : 0;
}

static int helper_finish(struct helper *h, bool go, struct error *e) {
    char said[SAID_MAX + 1];
    ssize_t n = 0;
    int status = 0;

    if (go && write(h->go, "x", 1) != 1)
        status = 1;
    h->go = fd_close(h->go);
    if (go)
        n = read(h->said, said, SAID_MAX);
    h->said = fd_close(h->said);
    while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!go || status == 0)
        return 0;
    said[n > 0 ? n : 0] = '\0';
    said[strcspn(said, "\n")] = '\0';
    error_set(e, -EPERM, "map the ids of /etc/subuid and /etc/subgid: %s", *said ? said : "newuidmap or newgidmap failed");
    return error_hint(e, "are newuidmap and newgidmap set-user-id root, and the ranges in both files correct?");
}

/* ---- Why there are none ---- */

#define SUBID_COMMAND "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s"

static bool is_line_of(const char *line, const char *who) {
    size_t n = strlen(who);

    return strncmp(line, who, n) == 0 && line[n] == ':';
}

const char *rootless_why_no_range(const char *file, const char *text, const char *name, uid_t uid, struct arena *a) {
    const char *number = arena_printf(a, "%u", uid), *who = name ? name : number;
    struct id_range ranges[ROOTLESS_RANGES_MAX];
    size_t at = 1;

    if (rootless_ranges(text, name, uid, ranges) > 0)
        return NULL;
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n', at++)
        if (is_line_of(line, who) || is_line_of(line, number))
            return arena_printf(
                a,
                "line %zu of %s is no range for %s, as \"%s:100000:65536\" is one (neither 0 nor the user's own id may "
                "be in it): %.*s",
                at, file, who, who, (int)strcspn(line, "\n"), line);
    return arena_printf(a, "%s has no line for %s; an administrator adds one: " SUBID_COMMAND, file, who, who);
}

const char *rootless_why_single(uid_t uid, struct arena *a) {
    static const char *const files[] = {"/etc/subuid", "/etc/subgid"}, *const programs[] = {"newuidmap", "newgidmap"};
    struct host_user user;

    rootless_host_user(uid, &user);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        _cleanup_buf_ struct buf text = BUF_INIT;
        int r = fs_read_at(AT_FDCWD, files[i], TEXT_MAX_BYTES, &text, NULL);
        const char *why;

        if (r < 0 && r != -ENOENT)
            return arena_printf(a, "%s cannot be read: %s", files[i], strerror(-r));
        why = rootless_why_no_range(files[i], buf_text(&text), *user.name ? user.name : NULL, uid, a);
        if (why)
            return why;
    }
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
        _cleanup_free_ char *path = find_program(programs[i]);

        if (!path)
            return arena_printf(a, "%s is not installed (package uidmap, or shadow-utils)", programs[i]);
    }
    return NULL;
}

/* ---- Entering ---- */

/* Switches that forbid it, as they stand in /proc/sys. */
static const struct {
    const char *path, *forbids, *sysctl;
} switches[] = {
    {"/proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces=15000"},
    {"/proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"},
    {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"},
};

static const char *switch_in_the_way(void) {
    for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
        _cleanup_buf_ struct buf text = BUF_INIT;

        if (fs_read_at(AT_FDCWD, switches[i].path, 64, &text, NULL) == 0 && strcspn(buf_text(&text), "\n") == 1 &&
            buf_text(&text)[0] == switches[i].forbids[0])
            return switches[i].sysctl;
    }
    return NULL;
}

static int enter_namespaces(struct error *e) {
    int r = unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ? -errno : 0;

    if (r == 0)
        return 0;
    const char *in_the_way = switch_in_the_way();

    error_errno(e, r, "make a user namespace");
    if (in_the_way)
        error_hint(e, "this host does not let ordinary users make them: an administrator can allow it by sysctl -w %s", in_the_way);
    else if (r == -ENOSPC)
        error_hint(e, "their number is limited here, or they are nested too deep: sysctl user.max_user_namespaces");
    else
        error_hint(e,
                   "a filter or a security module forbids it: a container that this runs in, or a service's RestrictNamespaces=");
    return r;
}

static int write_file(const char *path, const char *text, struct error *e) {
    _cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        return error_errno(e, -errno, "write %s", path);
    return 0;
}

/* Without ranges: the user alone. The kernel asks that groups be given up for it, or a group that takes rights away could be left.
 */
static int map_single(const struct rootless *r, struct error *e) {
    char text[64];
    int result = write_file("/proc/self/setgroups", "deny", e);

    snprintf(text, sizeof(text), "0 %u 1\n", r->uid);
    if (result == 0)
        result = write_file("/proc/self/uid_map", text, e);
    snprintf(text, sizeof(text), "0 %u 1\n", r->gid);
    return result == 0 ? write_file("/proc/self/gid_map", text, e) : result;
}

static int become_root(struct error *e) {
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        return error_errno(e, -errno, "become root of the user namespace");
    return 0;
}

static int enter_with_ranges(struct rootless *r, struct map_command *uids, struct map_command *gids, struct error *e) {
    struct helper helper = {.go = -1, .said = -1};
    int result = helper_start(uids, gids, &helper);

    if (result < 0)
        return error_errno(e, result, "start the helper that maps ids");
    result = enter_namespaces(e);
    if (result < 0) {
        (void)helper_finish(&helper, false, NULL);
        return result;
    }
    result = helper_finish(&helper, true, e);
    r->single_id = false;
    return result < 0 ? result : become_root(e);
}

static int enter_single(struct rootless *r, struct error *e) {
    int result = enter_namespaces(e);

    if (result == 0)
        result = map_single(r, e);
    r->single_id = true;
    r->uids = r->gids = 1;
    return result < 0 ? result : become_root(e);
}

static int enter(struct rootless *r, struct error *e) {
    struct id_range uids[ROOTLESS_RANGES_MAX], gids[ROOTLESS_RANGES_MAX];
    struct map_command map_uids = {0}, map_gids = {0};
    struct host_user user;
    size_t n_uids, n_gids;
    int result;

    rootless_host_user(r->uid, &user);
    n_uids = read_ranges("/etc/subuid", user.name, r->uid, uids);
    n_gids = read_ranges("/etc/subgid", user.name, r->uid, gids);
    if (n_uids == 0 || n_gids == 0)
        return enter_single(r, e);
    r->uids = command_build(&map_uids, "newuidmap", getpid(), r->uid, uids, n_uids);
    r->gids = command_build(&map_gids, "newgidmap", getpid(), r->gid, gids, n_gids);
    if (map_uids.program && map_gids.program)
        result = enter_with_ranges(r, &map_uids, &map_gids, e);
    else
        result = enter_single(r, e);
    free(map_uids.program);
    free(map_gids.program);
    return result;
}

/* Root, but of what? */
static int look_around(struct rootless *r, struct error *e) {
    _cleanup_buf_ struct buf uids = BUF_INIT, gids = BUF_INIT;
    int result = fs_read_at(AT_FDCWD, "/proc/self/uid_map", 4096, &uids, e);

    if (result == 0)
        result = fs_read_at(AT_FDCWD, "/proc/self/gid_map", 4096, &gids, e);
    if (result < 0)
        return result;
    r->uids = rootless_ids_mapped(buf_text(&uids));
    r->gids = rootless_ids_mapped(buf_text(&gids));
    r->active = r->uids != ALL_IDS;
    r->single_id = r->uids == 1;
    return 0;
}

/* ---- Joining the namespace of a monitor that lives ---- */

/* Held from the look for a monitor until this process' own monitor can be found. It belongs to the process, as its namespace does.
 */
static int entry_lock = -1;

void rootless_entered(void) {
    entry_lock = fd_close(entry_lock);
}

/* Both namespaces at once: the kernel takes the user namespace first, which gives the right to enter the other. */
static int join_monitor(pid_t pid) {
    _cleanup_free_ char *cwd = getcwd(NULL, 0);
    _cleanup_fd_ int pidfd = sys_pidfd_open(pid, 0);

    if (pidfd < 0 || setns(pidfd, CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return 0;
    /* Entering a mount namespace leads to its root directory. */
    return cwd && chdir(cwd) < 0 ? -errno : 1;
}

/* 1: joined. */
static int try_container(int dirfd, const char *name, void *arg _unused_, struct error *e _unused_) {
    _cleanup_fd_ int dir = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct container_state state;

    if (dir < 0 || state_read(-1, dir, &state, NULL) < 0 || state.monitor_pid <= 0)
        return 0;
    return join_monitor(state.monitor_pid);
}

/* The keeper of the user's networks may outlive the last monitor by a moment. */
static int try_keeper(int dir) {
    _cleanup_fd_ int fd = openat(dir, KEEPER_LOCK, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    pid_t pid = fd < 0 ? 0 : lock_owner(fd);

    return pid > 0 ? join_monitor(pid) : 0;
}

static int look(int dir, struct error *e) {
    int r = try_keeper(dir);

    return r != 0 || faccessat(dir, "containers", F_OK, 0) < 0 ? r : fs_each(dir, "containers", try_container, NULL, e);
}

static int join_any(const char *run_root, bool starts, struct error *e) {
    _cleanup_fd_ int dir = open(run_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = 0;

    if (dir < 0 && starts)
        dir = fs_open_dir_make(run_root, 0700, e);
    if (dir < 0)
        return starts ? dir : 0;
    if (!starts)
        return look(dir, e);
    /* Shared while there is one to join, which it then keeps alive; alone to make the first. */
    for (int alone = 0; r == 0 && alone <= 1; alone++) {
        rootless_entered();
        entry_lock = lock_wait(dir, "namespace.lock", alone, e);
        if (entry_lock < 0)
            return entry_lock;
        r = look(dir, e);
    }
    if (r < 0)
        rootless_entered();
    return r;
}

int rootless_enter(const char *run_root, bool starts, struct rootless *ret, struct error *e) {
    struct rootless r = {.uid = geteuid(), .gid = getegid()};
    int result;

    if (r.uid == 0) {
        result = look_around(&r, e);
    } else {
        r.active = true;
        result = join_any(run_root, starts, e);
        r.joined = result > 0;
        if (result == 0)
            result = enter(&r, e);
        else if (result > 0)
            result = become_root(e) < 0 ? -EPERM : look_around(&r, e);
    }
    if (result < 0)
        return r.uid ? error_wrap(e, result, "run without root") : result;
    *ret = r;
    return 0;
}
