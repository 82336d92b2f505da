/* Containers whose control group systemd makes: it keeps its own books of the tree, and on a host of cgroup version 2 wants to be
 * asked. The group is delegated to us, and all that is done with a group of our own is done with this one: limits are written by
 * cgroup_plan_create(), the process enters as always. systemd is told the limits as well, so that it writes the same ones when it
 * writes. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "kernel/systemd.h"
#include "oci/oci.h"
#include "runtime/journal.h"

#define UNIT_NAME_MAX  255 /* bytes, systemd's limit */
#define DEFAULT_PREFIX "tare"
#define CPU_MAX_SIZE   64 /* bytes of cpu.max */

/* ---- Names ---- */

static bool is_unit_name(const char *name) {
    size_t n = strlen(name);

    return n > 0 && n <= UNIT_NAME_MAX && *name != '.' &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.-@\\")] == '\0';
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);

    return n > m && strcmp(text + n - m, end) == 0;
}

/* a-b.slice lies in a.slice, so no part of the name may be empty; -.slice is the root. */
static bool is_slice(const char *name) {
    if (strcmp(name, "-.slice") == 0)
        return true;
    return is_unit_name(name) && ends_with(name, ".slice") && *name != '-' && !strstr(name, "--") && !strstr(name, "-.slice");
}

static const char *default_slice(void) {
    return systemd_is_users() ? "user.slice" : "system.slice";
}

int oci_scope_parse(const char *path, const char *id, const char *usual_slice, struct arena *a, const char **ret_slice,
                    const char **ret_scope, const char **ret_cgroup, struct error *e) {
    const char *first = path && *path ? strchr(path, ':') : NULL, *second = first ? strchr(first + 1, ':') : NULL;
    const char *slice = "", *prefix = DEFAULT_PREFIX, *name = id, *scope;

    if (path && *path && !second)
        return error_set(e, -EINVAL, "linux.cgroupsPath: %s is not of the form SLICE:PREFIX:NAME, which --systemd-cgroup wants",
                         path);
    if (second) {
        slice = arena_strndup(a, path, (size_t)(first - path));
        prefix = arena_strndup(a, first + 1, (size_t)(second - first - 1));
        name = second + 1;
    }
    if (!*slice)
        slice = usual_slice;
    scope = arena_printf(a, "%s%s%s.scope", prefix, *prefix ? "-" : "", name);
    if (!is_slice(slice))
        return error_set(e, -EINVAL, "linux.cgroupsPath: %s is not the name of a slice", slice);
    if (ends_with(name, ".slice"))
        return error_set(e, -ENOTSUP, "linux.cgroupsPath: %s: a slice as the container's own group is not supported", name);
    if (!*name || !is_unit_name(scope))
        return error_set(e, -EINVAL, "linux.cgroupsPath: %s is not the name of a unit", scope);
    *ret_slice = slice;
    *ret_scope = scope;
    return cgroup_path("", strcmp(slice, "-.slice") == 0 ? "/" : slice, scope, a, ret_cgroup, e);
}

int oci_scope_choose(struct oci_call *call, const struct oci_spec *spec, const struct cgroup_layout *layout,
                     struct oci_container *c, struct error *e) {
    struct oci_own_state *own = &c->state.own;
    const char *slice, *group = "";
    int r;

    if (!systemd_is_there())
        return error_hint((error_set(e, -ENOTSUP, "--systemd-cgroup: %s",
                                     systemd_is_users() ? "no systemd of this user's own runs (systemctl --user)"
                                                        : "systemd does not run on this host"),
                           e),
                          "without it, the caller's cgroup driver has to be cgroupfs");
    if (layout->count != 1 || layout->unified < 0)
        return error_hint(
            (error_set(e, -ENOTSUP, "--systemd-cgroup needs cgroup version 2, and this host has %s", cgroup_layout_name(layout)),
             e),
            "the caller's cgroup driver has to be cgroupfs here");
    r = oci_scope_parse(spec->linux_->cgroups_path, c->id, default_slice(), &call->arena, &slice, &own->scope, &own->cgroup, e);
    if (r == 0 && systemd_is_users())
        r = systemd_manager_group(&call->arena, &group, e);
    if (r == 0)
        own->cgroup = arena_printf(&call->arena, "%s%s", group, own->cgroup);
    if (r == 0)
        r = systemd_unit_is_known(own->scope, e); /* before the journal says that it may be stopped */
    return r > 0 ? error_set(e, -EEXIST, "linux.cgroupsPath: systemd has a unit %s already", own->scope) : r;
}

/* ---- Start ---- */

static int make_properties(struct oci_call *call, const struct oci_spec *spec, const struct oci_container *c, struct list *to,
                           struct error *e) {
    struct arena *a = &call->arena;
    const char *slice, *scope, *cgroup;
    int r = oci_scope_parse(spec->linux_->cgroups_path, c->id, default_slice(), a, &slice, &scope, &cgroup, e);

    if (r < 0)
        return r;
    const struct systemd_property own[] = {
        {.name = "Description", .type = "s", .text = arena_printf(a, "tare container %s", c->id)},
        {.name = "Slice", .type = "s", .text = slice},
        {.name = "Delegate", .type = "b", .number = true},
        {.name = "DefaultDependencies", .type = "b", .number = false},
        {.name = "CollectMode", .type = "s", .text = "inactive-or-failed"}, /* nothing is left of one that failed */
    };
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        *LIST_ADD(a, struct systemd_property, to) = own[i];
    r = oci_scope_limits(spec->linux_->resources, a, to, e);
    if (r < 0)
        return error_wrap(e, r, "linux.resources");
    return oci_scope_annotations(&spec->annotations, a, to, e);
}

/* Ends with its parent at the latest. */
static void keep(pid_t parent, int life) {
    char c;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(1);
    while (read(life, &c, 1) < 0 && errno == EINTR)
        ;
    _exit(0);
}

static int start_keeper(struct oci_scope_keeper *ret, struct error *e) {
    pid_t parent = getpid();
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(e, -errno, "make a pipe");
    ret->pid = fork();
    if (ret->pid == 0) {
        fd_close(ends[1]);
        keep(parent, ends[0]);
    }
    fd_close(ends[0]);
    ret->life = ends[1];
    if (ret->pid < 0) {
        int r = -errno;

        ret->pid = 0;
        return error_errno(e, r, "fork");
    }
    return 0;
}

int oci_scope_enter(struct oci_call *call, const struct oci_spec *spec, const struct oci_container *c, struct oci_scope_keeper *ret,
                    struct error *e) {
    struct list properties = {0};
    int r = make_properties(call, spec, c, &properties, e);

    if (r == 0)
        r = start_keeper(ret, e);
    if (r == 0)
        r = systemd_scope_start(c->state.own.scope, &properties, ret->pid, e);
    if (r == -EEXIST) /* somebody was faster: the scope, and the group with it, is not ours to undo */
        (void)journal_write(c->dir_fd, OCI_JOURNAL_FILE, &(struct journal)JOURNAL_INIT, false, NULL);
    return r;
}

void oci_scope_leave(struct oci_scope_keeper *keeper) {
    keeper->life = fd_close(keeper->life);
    while (keeper->pid > 0 && waitpid(keeper->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    keeper->pid = 0;
}

/* ---- Update ---- */

/* A half of cpu.max that was not given is as the group has it. */
static void complete_bandwidth(const char *dir, struct arena *a, struct oci_cpu *cpu) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    char *end;

    if ((!cpu->quota.set && !cpu->period.set) ||
        fs_read_at(AT_FDCWD, arena_printf(a, "%s/cpu.max", dir), CPU_MAX_SIZE, &text, NULL) < 0)
        return;
    cpu->quota = (struct opt_i64){true, -1};
    if (strncmp(buf_text(&text), "max", 3) != 0)
        cpu->quota.value = strtoll(buf_text(&text), NULL, 10);
    end = strchr(buf_text(&text), ' ');
    cpu->period = (struct opt_u64){true, end ? strtoull(end, NULL, 10) : 0};
}

int oci_scope_update(struct oci_call *call, const struct oci_container *c, const struct cgroup_layout *layout,
                     const struct oci_resources *resources, struct error *e) {
    struct oci_resources told = *resources;
    struct list properties = {0};
    struct oci_cpu cpu;
    int r;

    if (told.cpu) {
        cpu = *told.cpu;
        complete_bandwidth(cgroup_dir(layout, layout->unified, c->state.own.cgroup, &call->arena), &call->arena, &cpu);
        told.cpu = &cpu;
    }
    r = oci_scope_limits(&told, &call->arena, &properties, e);
    return r < 0 ? r : systemd_scope_change(c->state.own.scope, &properties, e);
}
