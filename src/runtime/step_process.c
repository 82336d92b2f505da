/* Steps of the child: who it is, what it may do, what it runs. */
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/ioprio.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>

#include "base/kernel.h"
#include "kernel/landlock.h"
#include "kernel/link.h"
#include "runtime/executor_state.h"
#include "runtime/explain.h"
#include "runtime/rlimit.h"

#define DEFAULT_PATH         "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define JOIN_SESSION_KEYRING 1 /* keyctl(2) */
#define GROUPS_MAX           65536
#define CPUS_MAX             8192
#define NODES_MAX            1024
#define WEIGHTED_INTERLEAVE  6 /* of linux/mempolicy.h */

/* ---- Identity ---- */

int step_begin(struct executor *x, const struct plan_step *s, struct error *e) {
    int r = sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

    (void)x;
    (void)s;
    (void)sys_umask(0);
    return r < 0 ? error_errno(e, r, "die with the monitor") : 0;
}

int step_await(struct executor *x, const struct plan_step *s, struct error *e) {
    (void)s;
    return sync_await(x, SYNC_RELEASE, e);
}

int step_cgroup_join(struct executor *x, const struct plan_step *s, struct error *e) {
    ssize_t n = sys_write(slot_get(x, s->arg[0]), "0", 1);

    return n < 0 ? error_errno(e, (int)n, "enter cgroup %s", plan_text(x->plan, s->arg[1])) : 0;
}

int step_namespace_join(struct executor *x, const struct plan_step *s, struct error *e) {
    int r = sys_setns(s->arg[0] < 0 ? x->joined_pid : slot_get(x, s->arg[0]), (int)s->arg[1]);

    return r < 0 ? error_errno(e, r, "enter the namespaces") : 0;
}

int step_namespace_new(struct executor *x, const struct plan_step *s, struct error *e) {
    int r = sys_unshare((int)s->arg[0]);

    (void)x;
    return r < 0 ? error_errno(e, r, "make namespaces") : 0;
}

int step_become_root(struct executor *x, const struct plan_step *s, struct error *e) {
    int r = s->arg[0] ? 0 : sys_setgroups(0, NULL); /* with one id, the kernel forbids to change groups */

    (void)x;
    if (r == 0)
        r = sys_setresgid(0, 0, 0);
    if (r == 0)
        r = sys_setresuid(0, 0, 0);
    return r < 0 ? error_errno(e, r, "become root of the user namespace") : 0;
}

int step_hostname(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *name = plan_text(x->plan, s->arg[0]);
    int r = sys_sethostname(name, strlen(name));

    return r < 0 ? error_errno(e, r, "set the host name to %s", name) : 0;
}

int step_domainname(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *name = plan_text(x->plan, s->arg[0]);
    int r = sys_setdomainname(name, strlen(name));

    return r < 0 ? error_errno(e, r, "set the domain name to %s", name) : 0;
}

int step_link_configure(struct executor *x, const struct plan_step *s, struct error *e) {
    struct link links[PLAN_LINKS_MAX];
    size_t size = 0;
    const void *p = plan_data(x->plan, s->arg[0], &size);

    if (size % sizeof(struct link) != 0 || size > sizeof(links))
        return error_set(e, -EPROTO, "the plan's interfaces have a wrong size");
    if (size > 0)
        memcpy(links, p, size);
    return link_configure(links, size / sizeof(struct link), e);
}

/* ---- Surroundings ---- */

/* By descriptor, and then asked where it is: a directory outside the root (through a link into /proc of somebody else, say) would
 * show as "(unreachable)". */
int step_cwd(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *path = plan_text(x->plan, s->arg[0]);
    char where[PATH_MAX];
    _cleanup_fd_ int fd = -1;
    ssize_t n;
    int r;

    if (x->root_fd < 0 && x->joined_pid < 0) { /* the host's files: "/" is where look-ups below begin */
        r = sys_chdir("/");
        if (r < 0)
            return error_errno(e, r, "working directory /");
    }
    fd = open_how(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (fd < 0) {
        error_errno(e, fd, "working directory %s", path);
        error_status(e, fd == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
        return fd;
    }
    r = sys_fchdir(fd);
    if (r < 0)
        return error_errno(e, r, "working directory %s", path);
    n = sys_getcwd(where, sizeof(where));
    if (n < 0 || where[0] != '/')
        return error_set(e, -EXDEV, "working directory %s lies outside the container's root", path);
    return 0;
}

/* Below "self" of a procfs that is ours: a plain link, so only magic ones are refused. */
static int self_write(struct executor *x, const char *file, const char *text, struct error *e) {
    int proc = proc_open(x, e);
    ssize_t n;
    int fd;

    if (proc < 0)
        return proc;
    fd = open_how(proc, file, O_WRONLY, 0, RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
    if (fd < 0)
        return fd;
    n = sys_write(fd, text, strlen(text));
    (void)sys_close(fd);
    return n < 0 ? (int)n : 0;
}

int step_oom_score(struct executor *x, const struct plan_step *s, struct error *e) {
    char text[16];
    int r;

    snprintf(text, sizeof(text), "%d", (int)s->arg[0]);
    r = self_write(x, "self/oom_score_adj", text, e);
    return r < 0 ? error_errno(e, r, "set the out-of-memory score to %s", text) : 0;
}

int step_limit(struct executor *x, const struct plan_step *s, struct error *e) {
    return rlimit_set(0, plan_text(x->plan, s->arg[0]), (uint64_t)s->arg[1], (uint64_t)s->arg[2], e);
}

int step_keyring(struct executor *x, const struct plan_step *s, struct error *e) {
    int r = sys_keyctl(JOIN_SESSION_KEYRING, plan_text(x->plan, s->arg[0]), NULL, NULL, NULL);

    if (r < 0) {
        error_errno(e, r, "make a session keyring");
        if (r == -EDQUOT)
            error_hint(e, "raise sysctl kernel.keys.maxkeys");
    }
    return r < 0 ? r : 0;
}

int step_scope(struct executor *x, const struct plan_step *s, struct error *e) {
    int r = landlock_enter_scope((unsigned)s->arg[0], e); /* 0: the kernel cannot (before 6.12) */

    (void)x;
    return MIN_OF(r, 0);
}

int step_label(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *label = plan_text(x->plan, s->arg[1]);
    bool apparmor = strcmp(plan_text(x->plan, s->arg[0]), "apparmor") == 0;
    char text[PATH_MAX];
    int r;

    snprintf(text, sizeof(text), "%s%s", apparmor ? "exec " : "", label);
    r = apparmor ? self_write(x, "self/attr/apparmor/exec", text, e) : -ENOENT;
    if (r == -ENOENT) /* selinux; apparmor before 5.8 */
        r = self_write(x, "self/attr/exec", text, e);
    if (r < 0)
        error_errno(e, r, "set the %s label %s", apparmor ? "apparmor" : "selinux", label);
    if (r == -ENOENT || r == -EINVAL)
        error_hint(e, apparmor ? "is the profile loaded, and apparmor enabled?" : "is selinux enabled, and the label valid?");
    return r;
}

/* ---- Scheduling ---- */

static int word_number(const char *word, const char *const *words, int n) {
    for (int i = 0; i < n; i++)
        if (words[i] && strcmp(words[i], word) == 0)
            return i;
    return -1;
}

static uint64_t scheduler_flags(const struct plan *plan, int64_t list) {
    static const char *const names[] = {"SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM",     "SCHED_FLAG_DL_OVERRUN",
                                        "SCHED_FLAG_KEEP_POLICY",   "SCHED_FLAG_KEEP_PARAMS", "SCHED_FLAG_UTIL_CLAMP_MIN",
                                        "SCHED_FLAG_UTIL_CLAMP_MAX"};
    const char *s = plan_first(plan, list);
    uint64_t flags = 0;

    for (uint32_t i = 0; i < plan_count(plan, list); i++, s = plan_next(s)) {
        int bit = word_number(s, names, ARRAY_SIZE(names));

        if (bit >= 0)
            flags |= UINT64_C(1) << bit;
    }
    return flags;
}

int step_scheduler(struct executor *x, const struct plan_step *s, struct error *e) {
    static const char *const policies[] = {"SCHED_OTHER", "SCHED_FIFO", "SCHED_RR",      "SCHED_BATCH",
                                           "SCHED_ISO",   "SCHED_IDLE", "SCHED_DEADLINE"};
    const char *policy = plan_text(x->plan, s->arg[0]);
    struct sched_attr attr = {
        .size = sizeof(attr),
        .sched_policy = (uint32_t)word_number(policy, policies, ARRAY_SIZE(policies)),
        .sched_flags = scheduler_flags(x->plan, s->arg[3]),
        .sched_nice = (int32_t)s->arg[1],
        .sched_priority = (uint32_t)s->arg[2],
        .sched_runtime = (uint64_t)s->arg[4],
        .sched_deadline = (uint64_t)s->arg[5],
        .sched_period = (uint64_t)s->arg[6],
    };
    int r = sys_sched_setattr(0, &attr, 0);

    return r < 0 ? error_errno(e, r, "set the scheduler to %s", policy) : 0;
}

int step_io_priority(struct executor *x, const struct plan_step *s, struct error *e) {
    static const char *const classes[] = {NULL, "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"};
    const char *class = plan_text(x->plan, s->arg[0]);
    int r = sys_ioprio_set(IOPRIO_WHO_PROCESS, 0,
                           word_number(class, classes, ARRAY_SIZE(classes)) << IOPRIO_CLASS_SHIFT | (int)s->arg[1]);

    return r < 0 ? error_errno(e, r, "set the I/O priority to %s", class) : 0;
}

/* "0-3,7" as bits. Its characters were checked when the plan was built. -ERANGE: one beyond max, or a range backwards. */
static int parse_numbers(const char *text, unsigned long *bits, size_t max) {
    while (*text) {
        char *end;
        unsigned long first = strtoul(text, &end, 10), last = first;

        if (end == text) {
            text++;
            continue;
        }
        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        if (last < first || last >= max)
            return -ERANGE;
        for (unsigned long i = first; i <= last; i++)
            bits[i / (8 * sizeof(*bits))] |= 1UL << i % (8 * sizeof(*bits));
        text = end;
    }
    return 0;
}

int step_affinity(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *text = plan_text(x->plan, s->arg[0]);
    unsigned long bits[CPUS_MAX / (8 * sizeof(unsigned long))] = {0};
    int r = text ? parse_numbers(text, bits, CPUS_MAX) : 0;

    if (!text) /* all, which the kernel cuts down to those of the group */
        memset(bits, 0xff, sizeof(bits));
    if (r == 0)
        r = sys_sched_setaffinity(0, sizeof(bits), bits);
    return r < 0 ? error_errno(e, r, "process.execCPUAffinity: run on processors %s", text ? text : "of the group") : 0;
}

int step_memory_policy(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *text = plan_text(x->plan, s->arg[1]);
    unsigned long nodes[NODES_MAX / (8 * sizeof(unsigned long))] = {0};
    int r = parse_numbers(text ? text : "", nodes, NODES_MAX);

    if (r < 0)
        return error_errno(e, r, "linux.memoryPolicy.nodes: %s", text);
    r = sys_set_mempolicy((int)s->arg[0], text ? nodes : NULL, text ? NODES_MAX : 0);
    if (r == -EINVAL && (s->arg[0] & UINT8_MAX) == WEIGHTED_INTERLEAVE && !kernel_is_at_least(6, 9))
        return error_set(e, r, "linux.memoryPolicy.mode: MPOL_WEIGHTED_INTERLEAVE needs Linux 6.9");
    return r < 0 ? error_errno(e, r, "linux.memoryPolicy: set it") : 0;
}

int step_personality(struct executor *x, const struct plan_step *s, struct error *e) {
    int r = sys_personality(strcmp(plan_text(x->plan, s->arg[0]), "LINUX32") == 0 ? PER_LINUX32 : PER_LINUX);

    return r < 0 ? error_errno(e, r, "set the personality") : 0;
}

/* ---- Rights ---- */

int step_no_new_privileges(struct executor *x, const struct plan_step *s, struct error *e) {
    int r = sys_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

    (void)x;
    (void)s;
    return r < 0 ? error_errno(e, r, "give up new privileges") : 0;
}

int step_bound(struct executor *x, const struct plan_step *s, struct error *e) {
    (void)x;
    return capability_bound((uint64_t)s->arg[0], e);
}

static int set_groups(const struct plan *plan, int64_t list, struct error *e) {
    uint32_t n = plan_count(plan, list);
    const char *text = plan_first(plan, list);
    _cleanup_free_ gid_t *gids = NULL;
    int r;

    if (n > GROUPS_MAX)
        return error_errno(e, -E2BIG, "%u groups", n);
    gids = calloc(n + 1, sizeof(*gids));
    if (!gids)
        return error_errno(e, -ENOMEM, "set the groups");
    for (uint32_t i = 0; i < n; i++, text = plan_next(text))
        gids[i] = (gid_t)strtoul(text, NULL, 10);
    r = sys_setgroups(n, gids);
    return r < 0 ? error_errno(e, r, "set the groups") : 0;
}

/* Away from uid 0 the kernel empties the effective set; what is still to be done (a filter without no_new_privs) needs it. */
static int raise_again(struct error *e) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    int r = sys_capget(&header, data);

    data[0].effective = data[0].permitted;
    data[1].effective = data[1].permitted;
    if (r == 0)
        r = sys_capset(&header, data);
    return r < 0 ? error_errno(e, r, "keep the capabilities over the change of user") : 0;
}

int step_user(struct executor *x, const struct plan_step *s, struct error *e) {
    uid_t uid = (uid_t)s->arg[0];
    gid_t gid = (gid_t)s->arg[1];
    int r = s->arg[4] ? 0 : set_groups(x->plan, s->arg[2], e);

    if (r < 0)
        return r;
    if (uid != 0) {
        r = capability_keep(e);
        if (r < 0)
            return r;
    }
    r = sys_setresgid(gid, gid, gid);
    if (r == 0)
        r = sys_setresuid(uid, uid, uid);
    if (r < 0) {
        error_errno(e, r, "become user %u:%u", uid, gid);
        return r == -EINVAL ? error_hint(e, "the user namespace has no such id") : r;
    }
    (void)sys_umask((mode_t)s->arg[3]);
    return uid != 0 ? raise_again(e) : 0;
}

/* First whoever made us lets go: until then, its death is ours. Then, with a start_fd, whoever comes there to start us; one that
 * only looked whether we still wait is no reason to end. The connection takes the place of the socket: errors go there, and its end
 * tells that the program runs. */
static int await_release(struct executor *x, struct error *e) {
    int r = sync_await(x, SYNC_RELEASE, e);

    if (r < 0)
        return r;
    for (;;) {
        (void)sys_close(x->sync_fd);
        x->sync_fd = accept4(x->io->start_fd, NULL, NULL, SOCK_CLOEXEC);
        if (x->sync_fd < 0 && errno != EINTR && errno != ECONNABORTED)
            return error_errno(e, -errno, "wait for the start");
        if (x->sync_fd >= 0 && sync_await(x, SYNC_RELEASE, NULL) == 0)
            return 0;
    }
}

static _Noreturn void end_by(int signo) {
    _exit(128 + signo);
}

/* The first process of a pid namespace gets no signal that it has no handler for, and one that was created may be told to end. */
static int await_start(struct executor *x, struct error *e) {
    static const int ends[] = {SIGHUP, SIGINT, SIGTERM};
    const struct sigaction end = {.sa_handler = end_by};
    struct sigaction saved[ARRAY_SIZE(ends)];
    int r;

    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        (void)sigaction(ends[i], &end, &saved[i]);
    r = await_release(x, e);
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        (void)sigaction(ends[i], &saved[i], NULL);
    return r;
}

/* Everything goes but what the program inherits, the streams until they stand where they belong, and the socket. What waits for its
 * start, the built-in init, and a process that is about to be born next to hostile ones hold nothing of the host's. */
static int close_descriptors(const struct executor *x) {
    const struct executor_io *io = x->io;
    const bool streams = !x->in_session;
    const int keep[] = {x->sync_fd,
                        io->start_fd,
                        slot_get(x, x->agent_slot),
                        x->explain ? x->explain->fd : -1,
                        streams ? io->in : -1,
                        streams ? io->out : -1,
                        streams ? io->err : -1,
                        streams ? x->terminal_fd : -1};
    int next = 3 + io->preserve_fds;

    for (;;) {
        int kept = INT_MAX, r;

        for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
            if (keep[i] >= next)
                kept = MIN_OF(kept, keep[i]);
        if (kept > next) {
            r = sys_close_range((unsigned)next, kept == INT_MAX ? ~0U : (unsigned)kept - 1, 0);
            if (r < 0 || kept == INT_MAX)
                return r;
        }
        next = kept + 1;
    }
}

/* From here on the child depends on nobody. */
int step_ready(struct executor *x, const struct plan_step *s, struct error *e) {
    int r = close_descriptors(x);

    (void)s;
    if (r < 0)
        return error_errno(e, r, "close the descriptors");
    r = sys_prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
    if (r == 0)
        r = sync_send(x, SYNC_READY, -1);
    if (r < 0)
        return error_errno(e, r, "tell the monitor");
    return x->io->hold ? await_start(x, e) : 0;
}

int step_seccomp(struct executor *x, const struct plan_step *s, struct error *e) {
    size_t size = 0;
    const void *program = plan_data(x->plan, s->arg[0], &size);
    _cleanup_free_ struct sock_filter *aligned = malloc(size + 1); /* the plan's text has no alignment */
    struct sock_fprog filter = {.len = (unsigned short)(size / sizeof(struct sock_filter)), .filter = aligned};
    int r;

    if (!aligned)
        return error_errno(e, -ENOMEM, "load the filter");
    memcpy(aligned, program, size);
    r = sys_seccomp(SECCOMP_SET_MODE_FILTER, (unsigned)s->arg[1], &filter);
    if (r < 0)
        return error_errno(e, r, "load the filter");
    if (s->arg[2] >= 0) { /* with an agent, what came back is its end: it closes here with the execve */
        const char *head = plan_data(x->plan, s->arg[3], &size);

        return agent_send(x, slot_get(x, s->arg[2]), r, head, size, e);
    }
    return 0;
}

int step_capabilities(struct executor *x, const struct plan_step *s, struct error *e) {
    const struct capability_sets sets = {
        .effective = (uint64_t)s->arg[0],
        .permitted = (uint64_t)s->arg[1],
        .inheritable = (uint64_t)s->arg[2],
        .ambient = (uint64_t)s->arg[3],
    };

    (void)x;
    return capability_apply(&sets, e);
}

/* Joining a container: who is born into its pid namespace can be traced there by whoever has CAP_SYS_PTRACE, dumpable or not. So
 * that is left to the end, when rights and descriptors are those of the container's own processes; and it takes a new process,
 * since nobody changes his own pid namespace. It is the monitor's child; this one ends. */
int step_birth(struct executor *x, const struct plan_step *s, struct error *e) {
    pid_t pid = sys_clone_settid(CLONE_PARENT | CLONE_PARENT_SETTID | SIGCHLD, x->born);

    (void)s;
    if (pid > 0)
        _exit(0);
    return pid < 0 ? error_errno(e, pid, "be born into the container's pid namespace") : 0;
}

/* ---- The program ---- */

char **plan_vector(const struct plan *plan, int64_t list) {
    uint32_t n = plan_count(plan, list);
    const char *text = plan_first(plan, list);
    char **v = calloc((size_t)n + 1, sizeof(*v));

    for (uint32_t i = 0; v && i < n; i++, text = plan_next(text))
        v[i] = (char *)(uintptr_t)text; /* execve(2) takes them as not const, and changes nothing */
    return v;
}

/* As a shell does: the first directory that has it wins; one that has it but cannot execute it is remembered. */
static int exec_by_path(const char *path, char **argv, char **envp) {
    char file[PATH_MAX];
    int result = -ENOENT;

    while (*path || result == -ENOENT) {
        size_t n = strcspn(path, ":");
        int r;

        if ((size_t)snprintf(file, sizeof(file), "%.*s%s%s", (int)n, path, n > 0 ? "/" : "./", argv[0]) < sizeof(file)) {
            r = sys_execve(file, argv, envp);
            if (r == -EACCES)
                result = r;
            else if (r != -ENOENT && r != -ENOTDIR)
                return r;
        }
        if (!path[n])
            break;
        path += n + 1;
    }
    return result;
}

static int explain_exec(const char *name, bool searched, int r, struct error *e) {
    if (searched && r == -ENOENT)
        error_set(e, r, "exec: \"%s\": executable file not found in $PATH", name);
    else if (r == -ENOENT && sys_faccessat2(AT_FDCWD, name, F_OK, AT_EACCESS) == 0) /* a script, or a program with a loader */
        error_hint((error_set(e, r, "exec %s: no such file or directory", name), e), "its interpreter is not there");
    else if (r == -ENOENT) /* callers of runtimes read these words, in this case */
        error_set(e, r, "exec: \"%s\": stat %s: no such file or directory", name, name);
    else if (r == -EACCES)
        error_set(e, r, "exec: \"%s\": permission denied", name);
    else
        error_errno(e, r, "exec %s", name);
    if (r == -ENOEXEC)
        error_hint(e, "a program of another architecture, or a script without a first line that names its interpreter");
    error_status(e, r == -ENOENT || r == -ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
    return r;
}

/* PID 1 stays with the built-in init; the program is its child, in a process group of its own in front of the terminal. Returns in
 * the program only, and there once init has closed all that it had open: a program that may trace could take it from /proc/1/fd. */
static int split_init(struct executor *x, struct error *e) {
    int ready[2], r = sys_pipe2(ready, O_CLOEXEC);
    pid_t pid = r < 0 ? r : sys_fork();

    if (pid < 0)
        return error_errno(e, pid, "start the program below init");
    if (pid > 0) {
        (void)sys_close(x->sync_fd); /* its end tells that the program runs: only the program may hold it */
        x->io->init_run(pid);
        _exit(EXIT_ENGINE);
    }
    (void)sys_close(ready[1]);
    while (sys_read(ready[0], &(char){0}, 1) == -EINTR)
        ;
    (void)sys_close(ready[0]);
    (void)setpgid(0, 0);
    if (x->terminal_fd >= 0) {
        pid_t group = getpid();
        sigset_t out;

        sigemptyset(&out);
        sigaddset(&out, SIGTTOU);
        (void)sigprocmask(SIG_BLOCK, &out, NULL);
        (void)sys_ioctl(0, TIOCSPGRP, &group);
        (void)sigprocmask(SIG_UNBLOCK, &out, NULL);
    }
    return 0;
}

/* In the rights of the process, as the execve will look. */
static int may_execute(const char *file) {
    struct stat st;
    int r = sys_faccessat2(AT_FDCWD, file, X_OK, AT_EACCESS);

    return r == 0 && sys_newfstatat(AT_FDCWD, file, &st, 0) == 0 && S_ISDIR(st.st_mode) ? -EACCES : r;
}

static int access_by_path(const char *path, const char *name) {
    char file[PATH_MAX];
    int result = -ENOENT;

    for (;; path++) {
        size_t n = strcspn(path, ":");
        int r = -ENOENT;

        if ((size_t)snprintf(file, sizeof(file), "%.*s%s%s", (int)n, path, n > 0 ? "/" : "./", name) < sizeof(file))
            r = may_execute(file);
        if (r == 0)
            return 0;
        if (r == -EACCES)
            result = r;
        path += n;
        if (!*path)
            return result;
    }
}

int step_program(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *name = plan_text(x->plan, s->arg[0]), *path = plan_text(x->plan, s->arg[1]);
    bool searched = !strchr(name, '/');
    int r = -ENOENT;

    if (*name)
        r = searched ? access_by_path(path ? path : DEFAULT_PATH, name) : may_execute(name);
    return r < 0 ? explain_exec(name, searched, r, e) : 0;
}

int step_exec(struct executor *x, const struct plan_step *s, struct error *e) {
    char **argv = plan_vector(x->plan, s->arg[0]); /* they live until the execve */
    char **envp = executor_env(x, plan_vector(x->plan, s->arg[1]));
    const char *path = plan_text(x->plan, s->arg[2]);
    bool searched;
    int r;

    if (argv && !argv[0] && s->arg[3] && x->io->init_run)
        x->io->init_run(0);
    if (!argv || !envp || !argv[0])
        return error_errno(e, -ENOMEM, "exec");
    if (s->arg[3] && x->io->init_run) {
        r = split_init(x, e);
        if (r < 0)
            return r;
    }
    searched = !strchr(argv[0], '/');
    if (argv[0][0] == '\0')
        r = -ENOENT;
    else
        r = searched ? exec_by_path(path ? path : DEFAULT_PATH, argv, envp) : sys_execve(argv[0], argv, envp);
    return explain_exec(argv[0], searched, r, e);
}
