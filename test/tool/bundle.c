/* Runs a bundle (config.json and a root) through plan, encoding, decoding and executor, as the engine and its monitor do together:
 * for trying and testing the runtime alone.
 *
 *   bundle [--dry-run] [--explain] [-v] [--terminal] [--cgroup PATH] [--upper DIR] [--seccomp FILE] [--repeat N] [--exec]
 * CONFIG.JSON
 *
 * root.path is bound, or with --upper DIR (which gets upper/ and work/) the lowers of an overlay, separated by ':'. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/kernel.h"
#include "kernel/cgroup.h"
#include "runtime/executor.h"
#include "runtime/rootless.h"

struct options {
    bool dry_run, explain, terminal, exec;
    struct rootless user;
    const char *cgroup, *upper, *seccomp;
    int repeat;
    struct plan_exec_context exec_context;
};

static int fail(struct error *e) {
    _cleanup_free_ char *text = error_sentence(e);

    fprintf(stderr, "bundle: %s\n", text);
    return e->status ? e->status : EXIT_ENGINE;
}

static void split(struct arena *a, const char *list, struct strs *out) {
    char *copy = arena_strdup(a, list);

    for (char *save = NULL, *s = strtok_r(copy, ":", &save); s; s = strtok_r(NULL, ":", &save))
        strs_add(a, out, s);
}

static int make_context(const struct options *o, const struct oci_spec *spec, struct arena *a, struct buf *filter,
                        struct plan_context *c, struct error *e) {
    static struct cgroup_layout layout;
    int r = 0;

    c->id = "bundle";
    c->dev_fill = true;
    c->new_keyring = true;
    c->rootless = o->user.active;
    c->single_id = o->user.single_id;
    c->rootfs.kind = !oci_spec_namespace(spec, "mount") ? PLAN_ROOTFS_NONE : o->upper ? PLAN_ROOTFS_OVERLAY : PLAN_ROOTFS_BIND;
    c->rootfs.path = spec->root ? spec->root->path : NULL;
    c->rootfs.id_map = true;
    if (o->upper) {
        split(a, spec->root->path, &c->rootfs.lowers);
        c->rootfs.upper = arena_printf(a, "%s/upper", o->upper);
        c->rootfs.work = arena_printf(a, "%s/work", o->upper);
        c->rootfs.in_one = !kernel_is_at_least(6, 8);
    }
    if (o->cgroup) {
        r = cgroup_layout_read(&layout, e);
        if (r == 0)
            r = plan_context_cgroups(c, &layout, o->cgroup, spec->linux_->resources, a, e);
    }
    if (r == 0 && o->seccomp) {
        r = fs_read_at(AT_FDCWD, o->seccomp, 1 << 20, filter, e);
        c->seccomp = filter->data;
        c->seccomp_size = filter->size;
    }
    return r;
}

static int wait_for(struct execution *x) {
    int status = 0;

    while (waitpid(x->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void copy_terminal(int fd) {
    char block[4096];
    ssize_t n;

    while ((n = read(fd, block, sizeof(block))) > 0)
        (void)!write(1, block, (size_t)n);
}

/* A program joins the container that CONFIG.JSON describes, whose command is then expected to wait. */
static int join(const struct options *o, const struct oci_spec *spec, const struct execution *container,
                const struct executor_io *io, struct error *e) {
    _cleanup_plan_ struct plan plan = PLAN_INIT;
    _cleanup_execution_ struct execution x = EXECUTION_INIT;
    struct oci_process p = *spec->process;
    const char *args[] = {"/bin/true"};
    int r;

    p.args = (struct strs){args, 1};
    r = plan_build_exec(&p, &o->exec_context, &plan, e);
    for (int i = 0; r == 0 && i < o->repeat; i++) {
        int64_t start = clock_monotonic_ns();

        r = executor_exec(&plan, container->pidfd, io, &x, e);
        if (r < 0)
            return r;
        fprintf(stderr, "joined: status %d after %.1f us\n", wait_for(&x), (double)(clock_monotonic_ns() - start) / 1000);
        execution_release(&x);
    }
    return r;
}

static int run(const struct options *o, const struct oci_spec *spec, const void *blob, size_t size, struct error *e) {
    struct executor_io io = EXECUTOR_IO_INIT;
    _cleanup_execution_ struct execution x = EXECUTION_INIT;
    struct plan plan;
    int64_t start = clock_monotonic_ns();
    int r, status;

    r = plan_decode(blob, size, &plan, e);
    if (r < 0)
        return -fail(e);
    io.in = 0;
    io.out = 1;
    io.err = 2;
    io.terminal = o->terminal;
    io.rows = 24;
    io.columns = 80;
    io.explain_fd = o->explain ? 2 : -1;
    r = executor_run(&plan, &io, &x, e);
    if (r < 0)
        return fail(e);
    if (o->exec) {
        r = join(o, spec, &x, &io, e);
        (void)kill(x.pid, SIGKILL);
        if (r < 0)
            fail(e);
    }
    if (x.console_fd >= 0)
        copy_terminal(x.console_fd);
    status = wait_for(&x);
    if (o->repeat > 1)
        fprintf(stderr, "%.1f us\n", (double)(clock_monotonic_ns() - start) / 1000);
    return status;
}

static int options_parse(int argc, char **argv, struct options *o) {
    static const struct option table[] = {
        {"dry-run", 0, NULL, 'd'}, {"explain", 0, NULL, 'e'}, {"terminal", 0, NULL, 't'},
        {"cgroup", 1, NULL, 'c'},  {"upper", 1, NULL, 'u'},   {"seccomp", 1, NULL, 's'},
        {"repeat", 1, NULL, 'r'},  {"exec", 0, NULL, 'x'},    {NULL, 0, NULL, 0},
    };

    for (int c; (c = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        switch (c) {
        case 'd': o->dry_run = true; break;
        case 'e': o->explain = true; break;
        case 't': o->terminal = true; break;
        case 'c': o->cgroup = optarg; break;
        case 'u': o->upper = optarg; break;
        case 's': o->seccomp = optarg; break;
        case 'r': o->repeat = atoi(optarg); break;
        case 'x': o->exec = true; break;
        default: return -1;
        }
    }
    return optind == argc - 1 ? 0 : -1;
}

static unsigned new_namespaces(const struct oci_spec *spec) {
    static const struct {
        const char *type;
        unsigned flag;
    } types[] = {{"user", CLONE_NEWUSER}, {"mount", CLONE_NEWNS}, {"pid", CLONE_NEWPID},      {"network", CLONE_NEWNET},
                 {"uts", CLONE_NEWUTS},   {"ipc", CLONE_NEWIPC},  {"cgroup", CLONE_NEWCGROUP}};
    unsigned flags = 0;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (oci_spec_namespace(spec, types[i].type))
            flags |= types[i].flag;
    return flags;
}

int main(int argc, char **argv) {
    _cleanup_arena_ struct arena arena = ARENA_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;
    _cleanup_buf_ struct buf text = BUF_INIT, blob = BUF_INIT, filter = BUF_INIT;
    _cleanup_plan_ struct plan plan = PLAN_INIT;
    struct options o = {.repeat = 1};
    struct plan_context c = {0};
    struct oci_spec spec;
    int r, status = 0;

    if (options_parse(argc, argv, &o) < 0)
        return EXIT_ENGINE;
    r = rootless_enter("/nonexistent", false, &o.user, &e);
    if (r < 0)
        return fail(&e);
    (void)prctl(PR_SET_DUMPABLE, 0);
    r = fs_read_at(AT_FDCWD, argv[optind], OCI_CONFIG_MAX, &text, &e);
    if (r == 0)
        r = oci_spec_decode(text.data, text.size, &arena, &spec, &e);
    if (r == 0)
        r = make_context(&o, &spec, &arena, &filter, &c, &e);
    if (r == 0)
        r = plan_build(&spec, &c, &plan, &e);
    if (r < 0)
        return fail(&e);
    o.exec_context.namespaces = new_namespaces(&spec);
    o.exec_context.cgroup_join = c.cgroup_join;
    o.exec_context.cgroup_unified = c.cgroup_unified;
    if (o.dry_run) {
        buf_clear(&text);
        plan_print(&plan, &text);
        fputs(buf_text(&text), stdout);
        return 0;
    }
    plan_encode(&plan, &blob);
    if (o.exec)
        return run(&o, &spec, blob.data, blob.size, &e);
    for (int i = 0; i < o.repeat && status == 0; i++)
        status = run(&o, &spec, blob.data, blob.size, &e);
    return status;
}
