/* The interface of OCI runtimes on the command line, a drop-in for runc: `tare oci …`, or the program under the name tare-oci.
 * Callers (containerd's shim, conmon) make a bundle, call `create`, set the network up, call `start`, and look after the process
 * themselves, as its parent or its subreaper. So nothing of ours lives on: all there is of a container is its directory
 * <root>/<id>/:
 *
 *   state.json   the runtime specification's state, and ours beside it; whether the process lives is looked up, never believed.
 *                While the container is made, its maker and the worker hold a lock on the directory (flock(2))
 *   config.json  the bundle's, as it was at `create`
 *   start        the socket on which the process waits for `start` (runtime/executor.h); refuses once its program runs
 *   journal      what `delete` undoes (runtime/journal.h)
 *
 * Sources: OCI runtime.md, the command line of runc(8). */
#pragma once

#include <termios.h>

#include "base/buf.h"
#include "kernel/cgroup.h"
#include "kernel/seccomp_filter.h"
#include "model/oci_spec.h"

/* The flags of update that each set one limit (update.c). */
enum oci_update_flag {
    OCI_UPDATE_MEMORY,
    OCI_UPDATE_MEMORY_RESERVATION,
    OCI_UPDATE_MEMORY_SWAP,
    OCI_UPDATE_KERNEL_MEMORY,
    OCI_UPDATE_KERNEL_MEMORY_TCP,
    OCI_UPDATE_CPU_PERIOD,
    OCI_UPDATE_CPU_QUOTA,
    OCI_UPDATE_CPU_BURST,
    OCI_UPDATE_CPU_SHARE,
    OCI_UPDATE_CPU_RT_PERIOD,
    OCI_UPDATE_CPU_RT_RUNTIME,
    OCI_UPDATE_CPU_IDLE,
    OCI_UPDATE_CPUSET_CPUS,
    OCI_UPDATE_CPUSET_MEMS,
    OCI_UPDATE_PIDS_LIMIT,
    OCI_UPDATE_BLKIO_WEIGHT,
    OCI_UPDATE_FLAGS,
};

struct oci_options {
    const char *root, *log, *log_format, *rootless, *cgroup_manager; /* global */
    bool debug, systemd_cgroup, no_cgroup, version, help;
    const char *bundle, *config, *pid_file, *console_socket, *pidfd_socket, *preserve_fds; /* create, run */
    bool no_pivot, no_new_keyring, no_subreaper, detach, keep;
    const char *process, *cwd, *user, *apparmor, *process_label; /* exec */
    struct strs env, caps, groups, cgroups;
    bool tty, no_new_privileges, ignore_paused;
    bool force, all, regex, quiet; /* delete, kill, list */
    const char *format, *resources, *interval;
    bool stats, spec_rootless;           /* events, spec */
    const char *limit[OCI_UPDATE_FLAGS]; /* update */
    const char *l3_cache_schema, *mem_bw_schema;
    const char *verb;
    struct strs args; /* behind the verb */
};

struct oci_call {
    struct oci_options o;
    struct arena arena;
    struct buf out;       /* for standard output */
    struct strs warnings; /* for the log */
    /* What who started us put into the environment (sd_listen_fds(3), sd_notify(3)); NULL, 0: nothing. */
    const char *notify_socket, *listen_names;
    int listen_fds; /* descriptors from 3 on */
    /* For callers that are programs of ours: told of the process before it is let go; console_fd -1 = none, else the caller's to
     * duplicate. Takes the place of --console-socket. NULL = nobody. */
    void (*born)(void *arg, int pid, int console_fd);
    void *born_arg;
    struct list mounts; /* struct oci_mount: come where the bundle mounts nothing there, or an empty tmpfs */
    bool keeper;        /* of create: in place of the program there is only the built-in init, which keeps the namespaces */
};

/* The same as a program: what is to be told goes to standard output, errors to standard error and the log. Arguments begin behind
 * the name. Returns the exit status. */
int oci_main(int argc, const char *const *argv);
/* Parses and carries out. Returns the exit status; on failure e says why, and nothing is in out. */
int oci_call(int argc, const char *const *argv, struct oci_call *call, struct error *e);
/* -EINVAL names the word. */
int oci_options_parse(int argc, const char *const *argv, struct arena *a, struct oci_options *ret, struct error *e);
/* The flags of a verb, a line each; NULL: those before the verb. */
void oci_options_help(const char *verb, struct buf *out);
/* The line for --log. */
void oci_log_line(const struct oci_options *o, const char *level, const char *message, struct buf *out);

/* ---- A container's directory ---- */

#define OCI_STATE_FILE   "state.json"
#define OCI_CONFIG_FILE  "config.json"
#define OCI_SOCKET_FILE  "start"
#define OCI_JOURNAL_FILE "journal"

struct oci_own_state {
    uint64_t start_ticks; /* of the process: field 22 of /proc/PID/stat */
    const char *boot_id;
    int32_t creator; /* the process of `create` or `run`, while that makes the container; 0 later */
    uint64_t creator_ticks;
    const char *cgroup;
    const char *scope;                     /* the unit of systemd's whose group it is; NULL = it was made by us */
    const char *resctrl, *resctrl_monitor; /* directories of linux.intelRdt, which processes of exec enter, too; NULL = none */
    const char *created, *rootfs;
    bool poststart, poststop; /* the bundle has such hooks: config.json is read again for them */
    bool shared_pids;         /* no pid namespace of its own, whose end would be that of all its processes */
    bool own_parent;          /* the group's parent was made by us, for want of a cgroupsPath */
};

/* As state.json has it; encoded by one table. */
struct oci_state {
    const char *oci_version;
    const char *id;
    const char *status;
    int32_t pid;
    const char *bundle;
    struct map annotations;
    struct oci_own_state own;
};
extern const struct json_table oci_state_table;

struct oci_container {
    int root_fd; /* owned */
    int dir_fd;  /* owned; -1 = there is none */
    const char *id;
    struct oci_state state; /* status as looked up: creating created running paused stopped */
};
#define OCI_CONTAINER_INIT                                                                                                         \
    { .root_fd = -1, .dir_fd = -1 }
#define _cleanup_oci_container_ _cleanup_(oci_container_release)
void oci_container_release(struct oci_container *c);

const char *oci_root(const struct oci_options *o);
/* "container does not exist" is -ENOENT. A directory without a state is one; with --force (of delete), so is one whose state is
 * damaged. What was not made to its end is "creating" while somebody makes it, then "stopped". */
int oci_container_open(struct oci_call *call, const char *id, struct oci_container *ret, struct error *e);
/* Makes the directory, whose lock dir_fd has then; -EEXIST. */
int oci_container_make(struct oci_call *call, const char *id, struct oci_container *ret, struct error *e);
int oci_container_save(struct oci_container *c, struct error *e);
/* Undoes the journal, runs the poststop hooks, removes the directory. Whoever is killed meanwhile is followed by another call. */
int oci_container_remove(struct oci_call *call, struct oci_container *c, struct error *e);
/* Ends a creation, for delete --force: kills who does it, and waits until nobody does. The state is another then. */
int oci_container_end_creation(struct oci_call *call, struct oci_container *c, struct error *e);
/* Ends the container whatever it does: frozen, or not yet started. */
int oci_container_kill(const struct oci_container *c, struct error *e);
/* -ESRCH with "container not running". */
int oci_container_pidfd(const struct oci_container *c, struct error *e);
/* The container that the first argument names; at most max arguments. */
int oci_open_argument(struct oci_call *call, size_t max, struct oci_container *ret, struct error *e);
/* The host's control groups, for what is done with the container's; -ESRCH: it has none yet, or was made to have none. */
int oci_container_layout(const struct oci_container *c, struct cgroup_layout *ret, struct error *e);
int oci_container_config(struct oci_call *call, const struct oci_container *c, struct oci_spec *ret, struct error *e);
bool oci_is(const struct oci_container *c, const char *status);
/* A control group that is there, and nobody in it can run. */
bool oci_group_is_frozen(const char *cgroup);

/* Reads the bundle of the call, with what it may say relative to itself made absolute, checks what the schema leaves open, and
 * keeps config.json as it is in the container's directory. */
int oci_bundle_read(struct oci_call *call, struct oci_container *c, struct oci_spec *spec, struct error *e);

/* crun's annotation run.oci.keep_original_groups, by which `podman run --group-add keep-groups` asks for it. */
bool oci_keeps_groups(const struct oci_spec *spec);

/* Of variables that are given more than once the last one counts: programs would take the first. */
void oci_env_once(struct arena *a, struct strs *env);

/* Options idmap=… and ridmap=… of mounts as the mappings of the specification (idmap.c). Pure; -EINVAL names the mount. */
int oci_idmap_options(struct arena *a, struct oci_spec *spec, struct error *e);

/* ---- check.c: what the specification demands beyond its schema; pure; -EINVAL names the field ---- */

int oci_check(const struct oci_spec *spec, struct error *e);
int oci_check_process(const struct oci_process *p, struct error *e);
int oci_check_resources(const struct oci_resources *r, struct error *e); /* NULL: there are none */

/* ---- capability.c ---- */

/* Takes out of the process's sets what it cannot get, with a warning in the log: the specification has a container run without.
 * user_namespace: it is in one of its own, where all can be had. */
void oci_capabilities_fit(struct oci_call *call, bool user_namespace, struct oci_process *p);

/* ---- hooks.c ---- */

/* What a hook gets, up to status and pid (runtime/plan.h). */
const char *oci_state_head(struct oci_call *call, const struct oci_state *s);
struct oci_filter {
    struct seccomp_program program;      /* n == 0: there is none */
    const char *agent_path, *agent_head; /* runtime/plan.h */
};
/* linux.seccomp as a program. -EINVAL names the field. */
int oci_filter(struct oci_call *call, const struct oci_spec *spec, const struct oci_state *state, struct oci_filter *ret,
               struct error *e);
/* Runs hooks in the namespaces of the caller. `all`: one that fails is a warning in the log, else it is an error and the last. */
int oci_hooks_run(struct oci_call *call, const struct oci_state *s, const struct list *hooks, const char *at, const char *status,
                  bool all, struct error *e);
/* Moves an error into call->warnings. */
void oci_warn(struct oci_call *call, struct error *e);

/* ---- notify.c: the socket between the container and our own NOTIFY_SOCKET; nothing where there is none ---- */

/* Adds the mount and the variable to the bundle's. */
int oci_notify_prepare(struct oci_call *call, const struct oci_container *c, struct oci_spec *spec, struct error *e);
/* *ret stays where the container was prepared for none; else it is the caller's. */
int oci_notify_listen(const struct oci_call *call, const struct oci_container *c, int *ret, struct error *e);
/* Takes one message. true: that was all there will be. main_pid: which process systemd is to take for the unit's; 0 = ours stays
 * it. */
bool oci_notify_pass(const struct oci_call *call, int listener, int main_pid);
/* Until the container is ready, or has ended. */
void oci_notify_wait(const struct oci_call *call, int listener, const struct oci_container *c);

/* ---- resctrl.c ---- */

struct journal;
struct plan_context;
/* linux.intelRdt: adds what is to be done to the plan's context and what is to be undone to the journal, and remembers the groups
 * in the state. Nothing without the field. */
int oci_resctrl_plan(struct oci_call *call, const struct oci_spec *spec, struct oci_container *c, struct plan_context *context,
                     struct journal *journal, struct error *e);
/* The groups of a container, for whoever is to enter them. */
void oci_resctrl_join(struct oci_call *call, const struct oci_own_state *own, struct strs *dirs);

/* ---- scope.c: the group is that of a scope, which systemd makes (--systemd-cgroup) ---- */

/* What linux.cgroupsPath of the form SLICE:PREFIX:NAME says, "" and NULL for the defaults. *ret_cgroup: where systemd puts its
 * group. -EINVAL names the field. Pure. */
int oci_scope_parse(const char *cgroups_path, const char *id, const char *usual_slice, struct arena *a, const char **ret_slice,
                    const char **ret_scope, const char **ret_cgroup, struct error *e);
/* Sets the container's scope and group. -ENOTSUP: systemd is not there, or the host has other than version 2. -EEXIST: there is
 * such a unit, which is somebody else's. */
int oci_scope_choose(struct oci_call *call, const struct oci_spec *spec, const struct cgroup_layout *layout,
                     struct oci_container *c, struct error *e);
/* Starts the scope with a process in it that only keeps it open: an empty one would end at once. Between these two calls the
 * container's own process enters. */
struct oci_scope_keeper {
    int pid;  /* 0 = none */
    int life; /* owned: the keeper ends when this is closed */
};
#define OCI_SCOPE_KEEPER_INIT                                                                                                      \
    { .life = -1 }
#define _cleanup_oci_scope_ _cleanup_(oci_scope_leave)
int oci_scope_enter(struct oci_call *call, const struct oci_spec *spec, const struct oci_container *c, struct oci_scope_keeper *ret,
                    struct error *e);
void oci_scope_leave(struct oci_scope_keeper *keeper);
/* Tells systemd of new limits, which are in force already: else it would put the old ones back when it next looks. */
int oci_scope_update(struct oci_call *call, const struct oci_container *c, const struct cgroup_layout *layout,
                     const struct oci_resources *resources, struct error *e);

/* ---- scope_property.c: all pure; lists of struct systemd_property ---- */

/* Limits of version 2, as far as systemd knows them. */
int oci_scope_limits(const struct oci_resources *resources, struct arena *a, struct list *ret, struct error *e);
/* Annotations org.systemd.property.NAME, whose values are in GVariant's text format: true, 'text', uint64 5, ['a', 'b']. */
int oci_scope_annotations(const struct map *annotations, struct arena *a, struct list *ret, struct error *e);

/* ---- Verbs ---- */

int oci_create(struct oci_call *call, struct error *e);
int oci_start(struct oci_call *call, struct error *e);
int oci_run(struct oci_call *call, struct error *e);
int oci_events(struct oci_call *call, struct error *e); /* writes to standard output as they come */
int oci_exec(struct oci_call *call, struct error *e);
int oci_state_show(struct oci_call *call, struct error *e);
int oci_kill(struct oci_call *call, struct error *e);
int oci_delete(struct oci_call *call, struct error *e);
int oci_list(struct oci_call *call, struct error *e);
int oci_ps(struct oci_call *call, struct error *e);
int oci_pause(struct oci_call *call, struct error *e);
int oci_resume(struct oci_call *call, struct error *e);
int oci_update(struct oci_call *call, struct error *e);
int oci_spec_make(struct oci_call *call, struct error *e);
int oci_features(struct oci_call *call, struct error *e);

/* What the makers share. */
struct plan;
struct execution;
struct oci_worker {
    int fd; /* owned: the socket of the worker (tare-monitor oci), which waits until it is told to let go, or gives up at its end */
    int pid;
};
/* Carries the plan out in a worker, whose child the process is. It dies with us. -1 = none: listen_fd; pidfd; lock_fd, which it
 * holds while it lives. */
struct oci_worker_fds {
    int listen, pidfd, lock;
};
int oci_worker_run(struct oci_call *call, const char *id, const struct plan *plan, struct oci_worker_fds fds, bool terminal,
                   struct oci_worker *ret, struct execution *out, struct error *e);
/* The process is on its own; the worker ends, for which nobody needs to wait until oci_worker_end(). */
int oci_worker_release(struct oci_worker *w, struct error *e);
int oci_worker_end(struct oci_worker *w, struct error *e);
/* Without it, the process dies. */
void oci_worker_drop(struct oci_worker *w);
/* A program that is not root may open /dev/stdout anew (logs do): the pipes among our streams are given to its user. */
void oci_streams_give(const struct oci_spec *spec, uint32_t uid);
int oci_pid_file(const char *path, int pid, struct error *e);
/* Sends a descriptor to whoever listens there; `name` goes with it. what: the flag, for the error. */
int oci_fd_send(const char *what, const char *socket, const char *name, int fd, struct error *e);
/* --pidfd-socket. */
int oci_pidfd_send(const struct oci_options *o, int pid, struct error *e);
/* Is there somebody to take the terminal? The error is in runc's words. */
int oci_console_check(const struct oci_call *call, bool detach, bool terminal, struct error *e);
/* ---- foreground.c: our signals are the process's, and our streams its terminal where it has one of its own ---- */

struct oci_foreground {
    int pid;
    int console; /* the terminal's master, borrowed; -1 = none, or all others have closed it */
    int host;    /* our terminal, whose size and mode count; -1 = none */
    bool in_open;
    struct termios saved;
    int signals; /* signalfd */
    const struct oci_call *call;
    int notify; /* the container's NOTIFY_SOCKET, owned; -1 = none, or the container is ready */
};
#define OCI_FOREGROUND_INIT                                                                                                        \
    { .host = -1, .signals = -1, .notify = -1 }
#define _cleanup_oci_foreground_ _cleanup_(oci_foreground_end)
/* Before the process is let go: its terminal has our size then, and no signal is lost. console_fd -1: the streams are ours, or
 * somebody else was given the terminal. */
void oci_foreground_begin(struct oci_foreground *f, const struct oci_call *call, int console_fd);
/* Until the process ends, which is or becomes our child. Its status as of a shell. */
int oci_foreground_wait(struct oci_foreground *f, int pid);
/* Our terminal is as it was. */
void oci_foreground_end(struct oci_foreground *f);
