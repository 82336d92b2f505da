/* What the steps of one execution share. Private to the executor and the steps. */
#pragma once

#include <sys/types.h>

#include "kernel/sys.h"
#include "runtime/executor.h"
#include "runtime/step.h"

struct explain;

struct executor {
    const struct plan *plan;
    const struct executor_io *io;
    struct execution *out;
    struct explain *explain;      /* NULL = quiet */
    const struct plan_step *step; /* the present one */
    int *slots;                   /* descriptors that steps hand on, by number */
    size_t n_slots;
    int64_t agent_slot; /* of the socket to who answers system calls: kept until the filter is handed over; -1 = none */

    /* the monitor's side */
    pid_t pid; /* the child; 0 in the child itself, and before there is one */
    int pidfd;
    int sync_fd;          /* this process's end of the socket between the two */
    int joined_pid;       /* pidfd of the container that is joined; -1 */
    volatile pid_t *born; /* joining: who took the child's place (PLAN_BIRTH), written by the kernel; shared with the child */
    int children_ns[2];   /* own pid and time namespaces, to go back to when the child exists; -1 */
    int user_ns;          /* of the child, opened when first needed */
    int child_dir;        /* /proc/PID of the child */

    /* the child's side */
    int other_fd;    /* the monitor's end, closed at once */
    int root_fd;     /* root of the container, as a mount; -1: the host's root is the root */
    int proc_fd;     /* root of the container's procfs */
    int on_proc;     /* what is mounted on /proc, whatever it is; borrowed or kept until the child is ready */
    int on_sys;      /* … and on /sys */
    int dev_fd;      /* root of the container's own /dev */
    int pts_fd;      /* root of its devpts */
    int empty_fd;    /* an empty read-only tmpfs, for masks */
    int null_fd;     /* a verified /dev/null, for masks */
    int terminal_fd; /* slave of the terminal */
    int cwd_fd;
    bool is_ready;
    char *home;      /* "HOME=…" for the program; NULL: its variables are as planned */
    pid_t own_pid;   /* the child's number as the monitor sees it; known from the first release on */
    bool in_session; /* the streams stand where they belong */
    bool is_child;   /* set by the step that clones, in the child */
};

/* Descriptors of slots. */
int slot_get(const struct executor *x, int64_t slot);
void slot_set(struct executor *x, int64_t slot, int fd); /* takes fd over */

/* The variables of a program: envp, or with the child's HOME in it (then envp is no more). */
char **executor_env(const struct executor *x, char **envp);

/* The messages on the socket between monitor and child. */
enum sync_kind {
    SYNC_RELEASE = 'R', /* parent: go on */
    SYNC_MOUNTED = 'M', /* child: the mounts are made */
    SYNC_READY = 'X',   /* child: everything is done but filter, capabilities and execve */
    SYNC_CONSOLE = 'C', /* child: the terminal's master, beside it */
    SYNC_ERROR = 'E',   /* child: it failed */
};
int sync_send(struct executor *x, enum sync_kind kind, int fd);
int sync_await(struct executor *x, enum sync_kind kind, struct error *e);
/* The monitor's side: until the child says so; its errors are returned. */
int child_await(struct executor *x, enum sync_kind kind, struct error *e);

/* Opens the target of a mount in the container's root, making what is missing: a directory, or a file when `file`. O_PATH. */
int target_open(struct executor *x, const char *path, bool file, bool no_links, struct error *e);
/* The same for an existing path only. */
int root_open(struct executor *x, const char *path, int flags, struct error *e);
/* For a root that stays in the host's: nothing in it makes up for what the container's /proc and /sys mask. */
int host_hide(struct executor *x, struct error *e);
/* Root of a procfs for this container; mounts a private one when the configuration has none. */
int proc_open(struct executor *x, struct error *e);
/* A list as execve(2) takes it; the strings are the plan's. NULL: no memory. */
char **plan_vector(const struct plan *plan, int64_t list);
/* Hands the descriptor of a filter to the program that answers its calls. */
int agent_send(struct executor *x, int agent, int listener, const char *head, size_t size, struct error *e);
int open_how(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve);

/* The steps, by file. */
step_run_fn step_cgroup, step_cgroup_open, step_upper_make, step_namespace_open, step_namespace_of, step_namespace_children,
    step_time_offsets, step_clone, step_id_map, step_tree_open, step_tree_map, step_link_make, step_names, step_link_move,
    step_limit_child, step_oom_child, step_release;                          /* step_host.c */
step_run_fn step_listen, step_hook, step_tell, step_agent_open, step_bundle; /* step_hook.c */
step_run_fn step_propagation, step_root_overlay, step_root_bind, step_root_attach, step_dev_seal, step_root_seal, step_pivot,
    step_root_propagation, step_directory; /* step_root.c */
step_run_fn step_mount, step_bind, step_remount, step_cgroup_mounts, step_node, step_symlink, step_mask, step_read_only,
    step_sysctl; /* step_mount.c */
step_run_fn step_begin, step_await, step_cgroup_join, step_namespace_join, step_namespace_new, step_become_root, step_hostname,
    step_domainname, step_link_configure, step_cwd, step_home, step_oom_score, step_limit, step_keyring, step_scope, step_label,
    step_affinity, step_scheduler, step_io_priority, step_personality, step_memory_policy, step_program, step_no_new_privileges,
    step_bound, step_user, step_ready, step_seccomp, step_capabilities, step_birth, step_exec; /* step_process.c */
step_run_fn step_overlay_open;                                                                 /* step_overlay.c */
step_run_fn step_terminal, step_session;                                                       /* step_terminal.c */
