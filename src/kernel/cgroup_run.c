#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>

#include "kernel/cgroup.h"
#include "kernel/cgroup_file.h"
#include "kernel/sys.h"

#define GROUP_MODE 0755

/* What an errno of the kernel means for a control file. The first that fits counts; a file ending in '*' is a prefix. */
static const struct {
    const char *file;
    int code;
    const char *meaning;
} meanings[] = {
    {"memory.limit_in_bytes", -EBUSY, "the group already uses more than that"},
    {"memory.memsw.limit_in_bytes", -EBUSY, "the group already uses more than that"},
    {"memory.limit_in_bytes", -EINVAL, "a memory limit may not exceed the limit of memory and swap together"},
    {"memory.memsw.limit_in_bytes", -EINVAL, "the limit of memory and swap together may not be below the memory limit"},
    {"memory.memsw.limit_in_bytes", -ENOENT, "this kernel does not account for swap (boot it with swapaccount=1)"},
    {"memory.swap.max", -ENOENT, "this kernel does not account for swap"},
    {"memory.swappiness", -EINVAL, "allowed are 0 to 100"},
    {"cpuset.*", -EACCES, "not among those of the group above"},
    {"cpuset.*", -EINVAL, "not a list of what this machine has"},
    {"cpuset.*", -ERANGE, "not a list of what this machine has"},
    {"cpuset.*", -ENOSPC, "processes need at least one"},
    {"cpuset.*", -EBUSY, "in exclusive use by another group"},
    {"cpu.cfs_*", -EINVAL, "allowed are quotas from 1000 µs, periods of 1000 to 1000000 µs, and no more than the group above has"},
    {"cpu.max", -EINVAL, "allowed are quotas from 1000 µs and periods of 1000 to 1000000 µs"},
    {"cpu.rt_*", -EINVAL, "more than the group above has to give"},
    {"blkio.*", -ENODEV, "there is no such block device"},
    {"io.*", -ENODEV, "there is no such block device"},
    {"blkio.bfq.weight", -ERANGE, "allowed are 10 to 1000"},
    {"devices.*", -EPERM, "more than the group above has (or the process may not grant it)"},
    {"schemata", -EINVAL, "not what this machine can share out: info/last_cmd_status of resctrl says more"},
    {"cgroup.procs", -ENOSPC, "the group's set of CPUs is empty"},
    {"cgroup.procs", -ESRCH, "the process has ended"},
    {"cgroup.procs", -EBUSY, "the group hands controllers down, so it can hold no process itself"},
    {"cgroup.procs", -EOPNOTSUPP, "a group above is threaded or holds processes"},
};

static bool file_fits(const char *pattern, const char *file) {
    size_t n = strlen(pattern);

    return pattern[n - 1] == '*' ? strncmp(pattern, file, n - 1) == 0 : strcmp(pattern, file) == 0;
}

static int explain(const struct cgroup_op *op, const char *file, const char *value, int code, struct error *e) {
    for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
        if (meanings[i].code == code && file_fits(meanings[i].file, file))
            return error_set(e, code, "%s: write \"%s\" to %s/%s: %s", op->what, value, op->dir, file, meanings[i].meaning);
    error_errno(e, code, "%s: write \"%s\" to %s/%s", op->what, value, op->dir, file);
    if (code == -ENOENT)
        return error_hint(e, "the kernel, or the group above, does not offer this control");
    if (code == -EROFS)
        return error_hint(e, "the cgroup file system is mounted read-only here");
    if (code == -EACCES || code == -EPERM)
        return error_hint(e, "this part of the cgroups is not delegated to the user");
    return code;
}

/* Makes what is missing above, from the top down. */
static int make_parents(const char *dir, struct error *e) {
    char path[CGROUP_MOUNT_MAX + CGROUP_PATH_MAX];
    size_t n = strlen(dir);
    int r = -ENOENT;

    if (n >= sizeof(path))
        return error_set(e, -ENAMETOOLONG, "the path of a group is longer than %zu bytes", sizeof(path) - 1);
    memcpy(path, dir, n + 1);
    for (char *slash = strrchr(path, '/'); slash > path && r == -ENOENT; slash = strrchr(path, '/')) { /* up to what exists */
        *slash = '\0';
        r = sys_mkdirat(AT_FDCWD, path, GROUP_MODE);
    }
    if (r < 0 && r != -EEXIST)
        return error_errno(e, r, "make the group %s", path);
    for (size_t end = strlen(path); end < n; end = strlen(path)) { /* and down again; the last is dir itself */
        path[end] = '/';
        r = sys_mkdirat(AT_FDCWD, path, GROUP_MODE);
        if (r < 0 && r != -EEXIST)
            return error_errno(e, r, "make the group %s", path);
    }
    return 0;
}

static int run_mkdir(const struct cgroup_op *op, struct error *e) {
    int r = sys_mkdirat(AT_FDCWD, op->dir, GROUP_MODE);

    if (r == -ENOENT)
        r = make_parents(op->dir, e);
    else if (r < 0 && r != -EEXIST)
        error_errno(e, r, "make the group %s", op->dir);
    if (r == -EROFS)
        error_hint(e, "the cgroup file system is mounted read-only here");
    if (r == -EACCES || r == -EPERM)
        error_hint(e, "cgroups can be used only where they are delegated to the user (systemd: Delegate=yes)");
    if (r == -EAGAIN)
        error_hint(e, "the group above allows no more groups: cgroup.max.descendants");
    return r == -EEXIST ? 0 : MIN_OF(r, 0);
}

/* Every line by a write of its own, as the kernel demands; resctrl wants its newline, too. */
static int write_lines(const struct cgroup_op *op, int dirfd, const char *file, const char *value, struct error *e) {
    _cleanup_fd_ int fd = sys_openat(dirfd, file, O_WRONLY | O_CLOEXEC, 0);

    if (fd == -ENOENT)
        return fd; /* the caller may know another file, or do without */
    if (fd < 0)
        return explain(op, file, value, fd, e);
    for (const char *line = value; *line;) {
        size_t n = strcspn(line, "\n");
        ssize_t r = sys_write(fd, line, n + (line[n] == '\n'));

        if (r < 0)
            return explain(op, file, value, (int)r, e);
        line += line[n] ? n + 1 : n;
    }
    return 0;
}

static int run_write(const struct cgroup_op *op, int dirfd, struct error *e) {
    int r = write_lines(op, dirfd, op->file, op->value, e);

    if (r == -ENOENT && op->other_file)
        r = write_lines(op, dirfd, op->other_file, op->other_value, e);
    if (r != -ENOENT)
        return r;
    return op->flags & CGROUP_OPTIONAL ? 0 : explain(op, op->file, op->value, -ENOENT, e);
}

/* All at once; where that fails, each for itself, since one that this host does not hand down must not take the others along. What
 * is missing in the end is reported by the write that needs it. */
static int run_enable(const struct cgroup_op *op, int dirfd) {
    char word[64];

    if (cgroup_write(dirfd, op->file, op->value) == 0)
        return 0;
    for (const char *p = op->value; *p;) {
        size_t n = strcspn(p, " ");

        if (n < sizeof(word)) {
            memcpy(word, p, n);
            word[n] = '\0';
            (void)cgroup_write(dirfd, op->file, word);
        }
        p += p[n] ? n + 1 : n;
    }
    return 0;
}

static bool is_blank(const char *text) {
    return text[strspn(text, " \n")] == '\0';
}

/* Another tare may have made the group above a moment ago and not have filled it yet, so an empty one is filled first, up to the
 * root. */
static int inherit(int dirfd, const char *file, char text[CGROUP_TEXT_MAX], unsigned depth, bool is_leaf) {
    _cleanup_fd_ int parent = -1;
    int r = cgroup_read(dirfd, file, text);

    if (r < 0 || !is_blank(text))
        return r;
    parent = sys_openat(dirfd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (parent < 0)
        return parent;
    r = depth == 0 ? -ELOOP : inherit(parent, file, text, depth - 1, false);
    if (r < 0)
        return r;
    if (!is_leaf) /* a group above, new: what is made below it from now on starts as a copy */
        (void)cgroup_write(dirfd, "cgroup.clone_children", "1");
    return cgroup_write(dirfd, file, text);
}

static int run_inherit(const struct cgroup_op *op, int dirfd, struct error *e) {
    char text[CGROUP_TEXT_MAX];
    int r = inherit(dirfd, op->file, text, CGROUP_PATH_MAX / 2, true);

    return r < 0 ? error_errno(e, r, "%s: inherit %s/%s from the group above", op->what, op->dir, op->file) : 0;
}

/* The program has no name, no maps and calls no helper, so any licence will do. */
static int run_program(const struct cgroup_op *op, struct error *e) {
    _cleanup_fd_ int dirfd = -1, program = -1;
    union bpf_attr attr = {
        .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
        .insns = (uintptr_t)op->program,
        .insn_cnt = (uint32_t)(op->program_size / sizeof(struct bpf_insn)),
        .license = (uintptr_t) "Apache-2.0",
    };
    int r;

    dirfd = sys_openat(AT_FDCWD, op->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0); /* bpf(2) takes no O_PATH descriptor */
    if (dirfd < 0)
        return error_errno(e, dirfd, "%s: open %s", op->what, op->dir);
    program = sys_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
    if (program < 0)
        return error_errno(e, program, "%s: load the program for %s", op->what, op->dir);
    attr = (union bpf_attr){
        .target_fd = (uint32_t)dirfd,
        .attach_bpf_fd = (uint32_t)program,
        .attach_type = BPF_CGROUP_DEVICE,
        .attach_flags = BPF_F_ALLOW_MULTI, /* beside systemd's, all of which must allow */
    };
    r = sys_bpf(BPF_PROG_ATTACH, &attr, sizeof(attr));
    return r < 0 ? error_errno(e, r, "%s: attach the program to %s", op->what, op->dir) : 0;
}

static int run_attach(const struct cgroup_op *op, int dirfd, pid_t pid, struct error *e) {
    char text[16];
    int r;

    (void)snprintf(text, sizeof(text), "%d", pid);
    r = cgroup_write(dirfd, op->file, text);
    return r < 0 ? explain(op, op->file, text, r, e) : 0;
}

/* The kernel says which files go along (cgroup-v2.rst, "Delegation"); before it did, there were three. Not every group has each. */
static int run_give(const struct cgroup_op *op, int dirfd, struct error *e) {
    static const char before[] = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";
    uid_t owner = (uid_t)strtoul(op->value, NULL, 10);
    char files[CGROUP_TEXT_MAX], *rest = NULL;
    int r;

    if (cgroup_read(AT_FDCWD, "/sys/kernel/cgroup/delegate", files) < 0)
        memcpy(files, before, sizeof(before));
    r = sys_fchownat(dirfd, "", owner, (gid_t)-1, AT_EMPTY_PATH);
    for (char *file = strtok_r(files, "\n", &rest); file && r >= 0; file = strtok_r(NULL, "\n", &rest)) {
        r = sys_fchownat(dirfd, file, owner, (gid_t)-1, AT_SYMLINK_NOFOLLOW);
        r = r == -ENOENT ? 0 : r;
    }
    return r < 0 ? error_errno(e, r, "%s: give %s to the user %s", op->what, op->dir, op->value) : 0;
}

int cgroup_op_run(const struct cgroup_op *op, pid_t pid, struct error *e) {
    _cleanup_fd_ int dirfd = -1;

    if (op->kind == CGROUP_MKDIR)
        return run_mkdir(op, e);
    if (op->kind == CGROUP_PROGRAM)
        return run_program(op, e);
    dirfd = cgroup_open_dir(op->dir);
    if (dirfd < 0)
        return error_errno(e, dirfd, "%s: open the group %s", op->what, op->dir);
    switch (op->kind) {
    case CGROUP_WRITE: return run_write(op, dirfd, e);
    case CGROUP_ENABLE: return run_enable(op, dirfd);
    case CGROUP_INHERIT: return run_inherit(op, dirfd, e);
    case CGROUP_ATTACH: return run_attach(op, dirfd, pid, e);
    case CGROUP_GIVE: return run_give(op, dirfd, e);
    case CGROUP_MKDIR:
    case CGROUP_PROGRAM: break;
    }
    return error_set(e, -EINVAL, "unknown cgroup operation %d", (int)op->kind);
}

int cgroup_ops_run(const struct list *ops, pid_t pid, struct error *e) {
    for (size_t i = 0; i < ops->n; i++) {
        int r = cgroup_op_run(LIST_AT(struct cgroup_op, ops, i), pid, e);

        if (r < 0)
            return r;
    }
    return 0;
}
