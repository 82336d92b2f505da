/* A container's directory, and what is true of its process. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/fs.h"
#include "oci/oci.h"
#include "runtime/journal.h"
#include "runtime/state.h"

#define STATE_SIZE_MAX ((size_t)1 << 20)
#define DEFAULT_ROOT   "/run/tare/oci"

static const struct json_field own_fields[] = {
    JSON_FIELD(struct oci_own_state, start_ticks, "startTicks", JSON_U64, 0),
    JSON_FIELD(struct oci_own_state, boot_id, "bootId", JSON_STR, 0),
    JSON_FIELD(struct oci_own_state, cgroup, "cgroup", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct oci_own_state, creator, "creator", JSON_I32, JSON_OMIT),
    JSON_FIELD(struct oci_own_state, creator_ticks, "creatorTicks", JSON_U64, JSON_OMIT),
    JSON_FIELD(struct oci_own_state, scope, "scope", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct oci_own_state, resctrl, "resctrl", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct oci_own_state, resctrl_monitor, "resctrlMonitor", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct oci_own_state, created, "created", JSON_STR, 0),
    JSON_FIELD(struct oci_own_state, rootfs, "rootfs", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct oci_own_state, own_parent, "ownParent", JSON_BOOL, 0),
    JSON_FIELD(struct oci_own_state, shared_pids, "sharedPids", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct oci_own_state, poststart, "poststart", JSON_BOOL, JSON_OMIT),
    JSON_FIELD(struct oci_own_state, poststop, "poststop", JSON_BOOL, JSON_OMIT),
    JSON_END,
};
static const struct json_table own_table = JSON_TABLE("tare", struct oci_own_state, own_fields);
static const struct json_field state_fields[] = {
    JSON_FIELD(struct oci_state, oci_version, "ociVersion", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct oci_state, id, "id", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct oci_state, pid, "pid", JSON_I32, 0),
    JSON_FIELD(struct oci_state, status, "status", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct oci_state, bundle, "bundle", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct oci_state, annotations, "annotations", JSON_MAP, JSON_OMIT),
    JSON_FIELD_OF(struct oci_state, own, "tare", JSON_OBJ, 0, &own_table),
    JSON_END,
};
const struct json_table oci_state_table = JSON_TABLE("state", struct oci_state, state_fields);

void oci_container_release(struct oci_container *c) {
    c->root_fd = fd_close(c->root_fd);
    c->dir_fd = fd_close(c->dir_fd);
}

const char *oci_root(const struct oci_options *o) {
    return o->root ? o->root : DEFAULT_ROOT;
}

bool oci_is(const struct oci_container *c, const char *status) {
    return strcmp(c->state.status, status) == 0;
}

static int check_id(const char *id, struct error *e) {
    size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.");

    if (n == 0 || n > 255 || id[n] || strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
        return error_set(e, -EINVAL, "invalid container id \"%s\"", id);
    return 0;
}

static struct container_state process_of(const struct oci_state *s) {
    struct container_state p = {.pid = s->pid, .pid_start_ticks = s->own.start_ticks};

    (void)snprintf(p.boot_id, sizeof(p.boot_id), "%s", s->own.boot_id ? s->own.boot_id : "");
    return p;
}

/* The process holds the socket until its execve; connecting is the only way to ask, and does it no harm. */
static bool waits_for_start(int dir_fd) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    _cleanup_fd_ int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d/" OCI_SOCKET_FILE, dir_fd);
    return s >= 0 && (connect(s, (const struct sockaddr *)&to, sizeof(to)) == 0 || errno == EAGAIN);
}

/* With both versions mounted, either may be the one through which it was frozen. */
bool oci_group_is_frozen(const char *path) {
    struct cgroup_layout layout;
    _cleanup_arena_ struct arena a = ARENA_INIT;
    bool frozen = false;

    if (!path || cgroup_layout_read(&layout, NULL) < 0)
        return false;
    const struct {
        int hierarchy;
        const char *file, *word;
    } places[] = {{layout.unified, "cgroup.freeze", "1"}, {layout.of[CGROUP_FREEZER], "freezer.state", "FR"}};

    for (size_t i = 0; i < ARRAY_SIZE(places) && !frozen; i++) {
        _cleanup_buf_ struct buf text = BUF_INIT;

        if (places[i].hierarchy < 0)
            continue;
        const char *dir = cgroup_dir(&layout, places[i].hierarchy, path, &a);
        frozen = fs_read_at(AT_FDCWD, arena_printf(&a, "%s/%s", dir, places[i].file), 64, &text, NULL) == 0 &&
                 strncmp(buf_text(&text), places[i].word, strlen(places[i].word)) == 0;
    }
    return frozen;
}

/* Somebody holds the directory's lock. */
static bool is_being_made(int dir_fd) {
    if (flock(dir_fd, LOCK_SH | LOCK_NB) < 0)
        return true;
    (void)flock(dir_fd, LOCK_UN);
    return false;
}

static const char *look_up_status(const struct oci_container *c) {
    const struct container_state p = process_of(&c->state);
    char boot[40];
    int ignored;

    if (oci_is(c, "creating"))
        return is_being_made(c->dir_fd) ? "creating" : "stopped";
    boot_id_read(boot);
    if (p.pid <= 0 || strcmp(boot, p.boot_id) != 0 || process_start_ticks(p.pid) != p.pid_start_ticks ||
        process_zombie_status(p.pid, p.pid_start_ticks, &ignored) != -EBUSY)
        return "stopped";
    if (waits_for_start(c->dir_fd))
        return "created";
    return oci_group_is_frozen(c->state.own.cgroup) ? "paused" : "running";
}

/* A damaged state is no hindrance to a forced deletion: the journal knows what there is. */
static int read_state(struct oci_call *call, struct oci_container *c, struct error *e) {
    const struct oci_state creating = {.oci_version = OCI_VERSION, .id = c->id, .status = "creating", .bundle = ""};
    _cleanup_buf_ struct buf text = BUF_INIT;
    int r;

    c->state = creating;
    r = fs_read_at(c->dir_fd, OCI_STATE_FILE, STATE_SIZE_MAX, &text, e);
    if (r == -ENOENT)
        error_release(e);
    else if (r == 0)
        r = json_decode(&oci_state_table, buf_text(&text), text.size, &call->arena, &c->state, e);
    if (r < 0 && r != -ENOENT) {
        if (!call->o.force)
            return error_wrap(e, r, "read the state of container %s", c->id);
        oci_warn(call, e);
        c->state = creating;
    }
    if (c->state.own.cgroup && !*c->state.own.cgroup)
        c->state.own.cgroup = NULL;
    c->state.status = look_up_status(c);
    if (oci_is(c, "stopped"))
        c->state.pid = 0;
    return 0;
}

int oci_container_open(struct oci_call *call, const char *id, struct oci_container *ret, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    int r = check_id(id, e);

    if (r < 0)
        return r;
    c.id = id;
    c.root_fd = open(oci_root(&call->o), O_PATH | O_DIRECTORY | O_CLOEXEC);
    c.dir_fd = c.root_fd < 0 ? -1 : fs_open_beneath(c.root_fd, id, O_RDONLY | O_DIRECTORY, 0);
    if (c.dir_fd < 0)
        return error_set(e, -ENOENT, "container does not exist");
    r = read_state(call, &c, e);
    if (r < 0)
        return r;
    *ret = c;
    c = (struct oci_container)OCI_CONTAINER_INIT;
    return 0;
}

int oci_container_make(struct oci_call *call, const char *id, struct oci_container *ret, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    int r = check_id(id, e);

    if (r < 0)
        return r;
    c.id = id;
    c.root_fd = fs_open_dir_make(oci_root(&call->o), 0700, e);
    if (c.root_fd < 0)
        return c.root_fd;
    if (mkdirat(c.root_fd, id, 0700) < 0)
        return errno == EEXIST ? error_set(e, -EEXIST, "container with given ID already exists")
                               : error_errno(e, -errno, "make the directory of container %s", id);
    c.dir_fd = fs_open_beneath(c.root_fd, id, O_RDONLY | O_DIRECTORY, 0);
    if (c.dir_fd < 0 || flock(c.dir_fd, LOCK_EX) < 0)
        return error_errno(e, c.dir_fd < 0 ? c.dir_fd : -errno, "open the directory of container %s", id);
    c.state = (struct oci_state){.oci_version = OCI_VERSION, .id = id, .status = "creating", .bundle = ""};
    *ret = c;
    c = (struct oci_container)OCI_CONTAINER_INIT;
    return 0;
}

int oci_container_save(struct oci_container *c, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    json_encode(&oci_state_table, &c->state, 0, &text);
    return fs_replace_at(c->dir_fd, OCI_STATE_FILE, text.data, text.size, 0600, FS_NO_SYNC, e);
}

/* The parent that was made only for want of a path goes with its last child. */
static void remove_parent(const char *cgroup) {
    struct cgroup_layout layout;
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct strs dirs = {0};

    if (cgroup_layout_read(&layout, NULL) < 0)
        return;
    cgroup_plan_dirs(&layout, cgroup, &a, &dirs);
    for (size_t i = 0; i < dirs.n; i++) {
        char *dir = arena_strdup(&a, dirs.v[i]);
        char *slash = strrchr(dir, '/');

        *slash = '\0';
        (void)rmdir(dir);
    }
}

/* The groups that the state names and a whole journal would have named, too. */
static int undo_groups(struct oci_call *call, const struct oci_container *c, struct error *e) {
    _cleanup_journal_ struct journal journal = JOURNAL_INIT;
    struct cgroup_layout layout;
    struct strs dirs = {0};
    bool left = false;
    int r;

    if (!c->state.own.cgroup || cgroup_layout_read(&layout, NULL) < 0)
        return 0;
    cgroup_plan_dirs(&layout, c->state.own.cgroup, &call->arena, &dirs);
    for (size_t i = 0; i < dirs.n; i++) {
        left |= faccessat(AT_FDCWD, dirs.v[i], F_OK, 0) == 0;
        journal_add(&journal, JOURNAL_CGROUP, dirs.v[i]);
    }
    r = left ? journal_write(c->dir_fd, OCI_JOURNAL_FILE, &journal, false, e) : 0;
    return r < 0 || !left ? r : journal_undo(c->dir_fd, OCI_JOURNAL_FILE, e);
}

/* By force also with a journal that nobody can read. */
static int undo(struct oci_call *call, const struct oci_container *c, struct error *e) {
    int r = journal_undo(c->dir_fd, OCI_JOURNAL_FILE, e);

    if ((r == -EPROTO || r == -ELOOP || r == -EINVAL) && call->o.force) {
        oci_warn(call, e);
        r = fs_remove_tree_at(c->dir_fd, OCI_JOURNAL_FILE, e);
    }
    return r < 0 ? r : undo_groups(call, c, e);
}

int oci_container_remove(struct oci_call *call, struct oci_container *c, struct error *e) {
    struct oci_spec spec = {0};
    bool poststop = c->state.own.poststop && oci_container_config(call, c, &spec, NULL) == 0 && spec.hooks;
    int r = undo(call, c, e);

    if (r < 0)
        return r;
    if (c->state.own.own_parent && c->state.own.cgroup)
        remove_parent(c->state.own.cgroup);
    /* Before what tells of them goes: if we are killed, they run with the next deletion. */
    c->state.pid = 0;
    r = poststop ? oci_hooks_run(call, &c->state, &spec.hooks->poststop, "poststop", "stopped", true, e) : 0;
    return r < 0 ? r : fs_remove_tree_at(c->root_fd, c->id, e);
}

int oci_container_end_creation(struct oci_call *call, struct oci_container *c, struct error *e) {
    struct container_state creator = {.pid = c->state.own.creator, .pid_start_ticks = c->state.own.creator_ticks};
    _cleanup_fd_ int pidfd = -1;

    (void)snprintf(creator.boot_id, sizeof(creator.boot_id), "%s", c->state.own.boot_id ? c->state.own.boot_id : "");
    pidfd = creator.pid > 0 ? state_open_pidfd(&creator) : -1;
    if (pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    while (flock(c->dir_fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return error_errno(e, -errno, "wait for the end of the creation of container %s", c->id);
    (void)flock(c->dir_fd, LOCK_UN);
    return read_state(call, c, e);
}

int oci_container_pidfd(const struct oci_container *c, struct error *e) {
    const struct container_state p = process_of(&c->state);
    int fd = p.pid > 0 && !oci_is(c, "stopped") ? state_open_pidfd(&p) : -ESRCH;

    return fd < 0 ? error_set(e, -ESRCH, "container not running") : fd;
}

int oci_container_config(struct oci_call *call, const struct oci_container *c, struct oci_spec *ret, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    int r = fs_read_at(c->dir_fd, OCI_CONFIG_FILE, OCI_CONFIG_MAX, &text, e);

    return r < 0 ? r : oci_spec_decode(buf_text(&text), text.size, &call->arena, ret, e);
}
