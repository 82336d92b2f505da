/* The process of a container: what it may do, who it is, what it runs. The order:
 *   - descriptors, limits, labels and scheduling need rights that the later steps give up;
 *   - the bounding set shrinks while CAP_SETPCAP is there; the user changes while CAP_SETUID is;
 *   - a filter without no_new_privs needs CAP_SYS_ADMIN, so it is loaded before the capabilities shrink to what the container gets;
 *     after it, only capset, prctl, close_range and execve are called, and what hooks of startContainer take: they are programs of
 *     the container's, and held as it is;
 *   - who joins a container is born into its pid namespace after all that, where the filter allows it (see step_birth()). */
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "kernel/seccomp_verdict.h"
#include "runtime/plan_build.h"

static int capability_set(const struct strs *names, const char *field, uint64_t *ret, struct error *e) {
    int r = capability_parse_list(names, ret, e);

    return r < 0 ? error_wrap(e, r, "process.capabilities.%s", field) : 0;
}

static int capability_sets(const struct oci_capabilities *c, struct capability_sets *ret, struct error *e) {
    int r;

    *ret = (struct capability_sets){0};
    if (!c)
        return 0;
    r = capability_set(&c->bounding, "bounding", &ret->bounding, e);
    if (r == 0)
        r = capability_set(&c->permitted, "permitted", &ret->permitted, e);
    if (r == 0)
        r = capability_set(&c->effective, "effective", &ret->effective, e);
    if (r == 0)
        r = capability_set(&c->inheritable, "inheritable", &ret->inheritable, e);
    if (r == 0)
        r = capability_set(&c->ambient, "ambient", &ret->ambient, e);
    /* The kernel grants no others (capabilities(7)); buildah asks for some, and other runtimes pass over them. */
    ret->ambient &= ret->permitted & ret->inheritable;
    return r;
}

void plan_limits(struct builder *b, const struct oci_process *p) {
    if (p->oom_score_adj.set && !b->foreign_user)
        STEP(b, PLAN_CHILD, PLAN_OOM_SCORE, p->oom_score_adj.value);
    for (size_t i = 0; i < p->rlimits.n; i++) {
        const struct oci_rlimit *l = LIST_AT(struct oci_rlimit, &p->rlimits, i);

        STEP(b, PLAN_CHILD, PLAN_LIMIT, text_add(b, l->type), (int64_t)l->soft, (int64_t)l->hard);
    }
}

static const struct {
    const char *name;
    int64_t value;
} memory_policies[] = {
    /* numa(7): linux/mempolicy.h */
    {"MPOL_DEFAULT", 0},
    {"MPOL_PREFERRED", 1},
    {"MPOL_BIND", 2},
    {"MPOL_INTERLEAVE", 3},
    {"MPOL_LOCAL", 4},
    {"MPOL_PREFERRED_MANY", 5},
    {"MPOL_WEIGHTED_INTERLEAVE", 6},
    {"MPOL_F_STATIC_NODES", 1 << 15},
    {"MPOL_F_RELATIVE_NODES", 1 << 14},
    {"MPOL_F_NUMA_BALANCING", 1 << 13},
};

static int64_t memory_policy_value(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(memory_policies); i++)
        if (strcmp(memory_policies[i].name, name) == 0)
            return memory_policies[i].value;
    return 0;
}

static int plan_memory_policy(struct builder *b, const struct oci_memory_policy *m, struct error *e) {
    int64_t mode;

    if (!m)
        return 0;
    if (!m->mode)
        return error_set(e, -EINVAL, "linux.memoryPolicy.mode: required, but missing");
    if (m->nodes && m->nodes[strspn(m->nodes, "0123456789,-")])
        return error_set(e, -EINVAL, "linux.memoryPolicy.nodes: \"%s\" is not a list of nodes such as 0-3,7", m->nodes);
    mode = memory_policy_value(m->mode);
    for (size_t i = 0; i < m->flags.n; i++)
        mode |= memory_policy_value(m->flags.v[i]);
    STEP(b, PLAN_CHILD, PLAN_MEMORY_POLICY, mode, text_add(b, m->nodes && *m->nodes ? m->nodes : NULL));
    return 0;
}

void plan_terminal(struct builder *b, const struct oci_process *p, bool console) {
    const struct oci_console_size *size = p->console_size;

    STEP(b, PLAN_CHILD, PLAN_TERMINAL, console, p->user.uid, size ? (int64_t)MIN_OF(size->height, UINT16_MAX) : 0,
         size ? (int64_t)MIN_OF(size->width, UINT16_MAX) : 0);
}

static void plan_scheduling(struct builder *b, const struct oci_process *p, const char *personality) {
    if (p->scheduler)
        STEP(b, PLAN_CHILD, PLAN_SCHEDULER, text_add(b, p->scheduler->policy), p->scheduler->nice, p->scheduler->priority,
             texts_add(b, &p->scheduler->flags), (int64_t)p->scheduler->runtime, (int64_t)p->scheduler->deadline,
             (int64_t)p->scheduler->period);
    if (p->io_priority)
        STEP(b, PLAN_CHILD, PLAN_IO_PRIORITY, text_add(b, p->io_priority->class), p->io_priority->priority);
    if (personality)
        STEP(b, PLAN_CHILD, PLAN_PERSONALITY, text_add(b, personality));
}

void plan_labels(struct builder *b, const struct oci_process *p) {
    if (p->apparmor_profile && *p->apparmor_profile)
        STEP(b, PLAN_CHILD, PLAN_LABEL, text_add(b, "apparmor"), text_add(b, p->apparmor_profile));
    if (p->selinux_label && *p->selinux_label)
        STEP(b, PLAN_CHILD, PLAN_LABEL, text_add(b, "selinux"), text_add(b, p->selinux_label));
}

static int check_process(const struct oci_process *p, struct error *e) {
    if (p->args.n == 0)
        return error_set(e, -EINVAL, "process.args: no command was given");
    if (p->cwd[0] != '/')
        return error_set(e, -EINVAL, "process.cwd: %s is not an absolute path", p->cwd);
    for (size_t i = 0; i < p->env.n; i++)
        if (p->env.v[i][0] == '=' || !strchr(p->env.v[i], '='))
            return error_set(e, -EINVAL, "process.env[%zu]: \"%s\" is not of the form NAME=VALUE", i, p->env.v[i]);
    return 0;
}

/* What a command without a slash is looked up in: the process's own PATH, as a shell inside would. */
static const char *search_path(const struct oci_process *p) {
    for (size_t i = 0; i < p->env.n; i++)
        if (strncmp(p->env.v[i], "PATH=", 5) == 0)
            return p->env.v[i] + 5;
    return NULL;
}

/* Whether the filter lets a process be born, and find its streams, after it was loaded. The built-in one does. */
static bool filter_allows_birth(const struct plan_context *c) {
    static const struct {
        long nr;
        uint64_t arg0, arg1;
    } needed[] = {{SYS_clone, CLONE_PARENT | CLONE_PARENT_SETTID | SIGCHLD, 0},
                  {SYS_setsid, 0, 0},
                  {SYS_ioctl, 0, TIOCSCTTY},
                  {SYS_dup3, 3, 0},
                  {SYS_fcntl, 0, F_SETFD},
                  {SYS_rt_sigprocmask, SIG_SETMASK, 0},
                  {SYS_exit_group, 0, 0}};

    for (size_t i = 0; c->seccomp_size > 0 && i < ARRAY_SIZE(needed); i++)
        if (!seccomp_allows(c->seccomp, c->seccomp_size / sizeof(struct sock_filter), needed[i].nr, needed[i].arg0, needed[i].arg1))
            return false;
    return true;
}

/* One that joins a container. A container whose pid namespace is another's (one of a pod's) is born in it instead: the monitor has
 * entered it for its children. */
static bool is_born_late(const struct builder *b) {
    return !b->spec && b->joined_namespaces & CLONE_NEWPID;
}

static void plan_birth(struct builder *b, const struct oci_process *p) {
    STEP(b, PLAN_CHILD, PLAN_BIRTH);
    STEP(b, PLAN_CHILD, PLAN_SESSION, p->terminal);
}

static void plan_rights(struct builder *b, const struct oci_process *p, const struct capability_sets *caps) {
    const struct plan_context *c = b->context;
    const struct oci_user *u = &p->user;
    const bool joins = is_born_late(b);
    /* Who answers the filter's calls is told the number of the process that makes them. */
    const bool born_early = joins && (c->agent_path || !filter_allows_birth(c));

    if (p->no_new_privileges)
        STEP(b, PLAN_CHILD, PLAN_NO_NEW_PRIVILEGES);
    STEP(b, PLAN_CHILD, PLAN_BOUND, (int64_t)caps->bounding);
    STEP(b, PLAN_CHILD, PLAN_USER, u->uid, u->gid, u32s_add(b, &u->additional_gids), u->umask.set ? u->umask.value : 022,
         c->single_id || c->keep_groups);
    if (c->check_program)
        STEP(b, PLAN_CHILD, PLAN_PROGRAM, text_add(b, p->args.v[0]), text_add(b, search_path(p)));
    if (joins)
        STEP(b, PLAN_CHILD, PLAN_NAMESPACE_JOIN, -1, CLONE_NEWPID);
    STEP(b, PLAN_CHILD, PLAN_READY);
    if (born_early)
        plan_birth(b, p);
    if (c->seccomp_size > 0)
        STEP(b, PLAN_CHILD, PLAN_SECCOMP, data_add(b, c->seccomp, c->seccomp_size), c->seccomp_flags, b->agent_slot,
             c->agent_head ? data_add(b, c->agent_head, strlen(c->agent_head)) : 0);
    STEP(b, PLAN_CHILD, PLAN_CAPABILITIES, (int64_t)caps->effective, (int64_t)caps->permitted, (int64_t)caps->inheritable,
         (int64_t)caps->ambient);
    plan_start_hooks(b);
    if (joins && !born_early)
        plan_birth(b, p);
}

static bool has_home(const struct strs *env) {
    bool has = false;

    for (size_t i = 0; i < env->n; i++) /* the last one counts */
        if (strncmp(env->v[i], "HOME=", 5) == 0)
            has = env->v[i][5] != '\0';
    return has;
}

int plan_process(struct builder *b, const struct oci_process *p, const struct process_extra *more, struct error *e) {
    const struct plan_context *c = b->context;
    const bool joins = is_born_late(b);
    const struct strs none = {0};
    struct capability_sets caps;
    int r;

    r = check_process(p, e);
    if (r == 0)
        r = capability_sets(p->capabilities, &caps, e);
    if (r < 0)
        return r;
    if (!b->spec && p->terminal) /* joining; else planned among the files */
        plan_terminal(b, p, false);
    STEP(b, PLAN_CHILD, PLAN_CWD, text_add(b, path_clean(b->arena, p->cwd)));
    if (c->fill_home && !has_home(&p->env))
        STEP(b, PLAN_CHILD, PLAN_HOME, p->user.uid);
    if (c->new_keyring)
        STEP_MAY_FAIL(b, PLAN_CHILD, PLAN_KEYRING, text_add(b, c->id));
    if (!b->joins_user)
        plan_limits(b, p);
    if (c->all_processors && (b->spec || !p->exec_cpu_affinity))
        STEP(b, PLAN_CHILD, PLAN_AFFINITY, 0);
    plan_scheduling(b, p, more->personality);
    r = plan_memory_policy(b, more->memory_policy, e);
    if (r < 0)
        return r;
    if (!b->joins_user)
        plan_labels(b, p);
    if (c->scopes)
        STEP(b, PLAN_CHILD, PLAN_SCOPE, c->scopes);
    if (!joins)
        STEP(b, PLAN_CHILD, PLAN_SESSION, p->terminal);
    plan_rights(b, p, &caps);
    STEP(b, PLAN_CHILD, PLAN_EXEC, texts_add(b, c->init_alone ? &none : &p->args), texts_add(b, &p->env),
         text_add(b, search_path(p)), c->init || c->init_alone);
    return 0;
}
