#include "kernel/cgroup_plan.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/fs.h"
#include "kernel/cgroup_devices.h"

#define VALUE_MAX 4096 /* bytes of a control file that is read */

/* One run of the planner. The first failure sticks in `r`, so that the list of fields below reads as a list. */
struct planner {
    const struct cgroup_layout *layout;
    const char *path;
    struct arena *arena;
    struct list *ops;
    struct error *e;
    bool update; /* the group lives: read it where an order or a missing half depends on it */
    int r;
};

uint64_t cgroup_weight_of_shares(uint64_t shares) {
    double l;

    if (shares <= 2)
        return 1;
    if (shares >= 262144)
        return 10000;
    l = log2((double)shares);
    return (uint64_t)ceil(pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0));
}

uint64_t cgroup_io_weight(uint64_t weight) {
    return weight < 10 ? 1 : 1 + (weight - 10) * 9999 / 990;
}

static int hierarchy_of(const struct planner *p, enum cgroup_controller c) {
    return p->layout->of[c];
}

static bool is_unified(const struct planner *p, enum cgroup_controller c) {
    int h = hierarchy_of(p, c);

    return h >= 0 && p->layout->hierarchies[h].unified;
}

static void fail(struct planner *p, const char *what, const char *why) {
    if (p->r == 0)
        p->r = error_set(p->e, -ENOTSUP, "%s: %s", what, why);
}

static struct cgroup_op *add(struct planner *p, const struct cgroup_op *op) {
    struct cgroup_op *slot = LIST_ADD(p->arena, struct cgroup_op, p->ops);

    *slot = *op;
    return slot;
}

/* A write to the controller's file; NULL for the file of a version that cannot do it. Returns NULL after a failure. */
static struct cgroup_op *put(struct planner *p, enum cgroup_controller c, const char *v1, const char *v2, const char *what,
                             const char *value) {
    int h = hierarchy_of(p, c);
    const char *file;

    if (p->r < 0)
        return NULL;
    if (h < 0) {
        fail(p, what, arena_printf(p->arena, "this host has no %s controller", cgroup_controller_name(c)));
        return NULL;
    }
    file = p->layout->hierarchies[h].unified ? v2 : v1;
    if (!file) {
        fail(p, what, v1 ? "exists in cgroup version 1 only, and this host has version 2" : "exists in cgroup version 2 only");
        return NULL;
    }
    return add(p, &(struct cgroup_op){
                      .kind = CGROUP_WRITE,
                      .dir = cgroup_dir(p->layout, h, p->path, p->arena),
                      .file = file,
                      .value = value,
                      .what = what,
                  });
}

static const char *number(struct planner *p, int64_t n) {
    return arena_printf(p->arena, "%lld", (long long)n);
}

static const char *unsigned_number(struct planner *p, uint64_t n) {
    return arena_printf(p->arena, "%llu", (unsigned long long)n);
}

/* -1 stands for no limit; version 2 spells it. */
static const char *limit_text(struct planner *p, enum cgroup_controller c, int64_t n) {
    return n < 0 && is_unified(p, c) ? "max" : number(p, n);
}

/* The text of a living group's file without the newline; "" when it cannot be read. */
static const char *present(struct planner *p, enum cgroup_controller c, const char *file) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    _cleanup_fd_ int fd = -1;

    fd = fs_open_dir(-1, cgroup_dir(p->layout, hierarchy_of(p, c), p->path, p->arena), NULL);
    if (fd < 0 || fs_read_at(fd, file, VALUE_MAX, &text, NULL) < 0)
        return "";
    return arena_strndup(p->arena, buf_text(&text), strcspn(buf_text(&text), "\n"));
}

/* The standard's `swap` is memory and swap together; version 2 wants swap alone. Where the kernel does not account for swap,
 * Docker's default (twice the memory) and "unlimited" are left out; another wish is an error. */
static void plan_swap(struct planner *p, const struct oci_memory *m) {
    int64_t limit = m->limit.set ? m->limit.value : 0, swap = m->swap.value;
    struct cgroup_op *op;

    if (!m->swap.set || swap == 0)
        return;
    if (is_unified(p, CGROUP_MEMORY) && swap > 0) {
        if (limit <= 0 || swap < limit) {
            p->r =
                error_set(p->e, -EINVAL, "swap limit: it counts memory and swap together, so it may not be below the memory limit");
            return;
        }
        op = put(p, CGROUP_MEMORY, NULL, "memory.swap.max", "swap limit", number(p, swap - limit));
    } else {
        op = put(p, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", "memory.swap.max", "swap limit",
                 limit_text(p, CGROUP_MEMORY, swap));
    }
    if (op && (swap < 0 || (limit > 0 && swap == 2 * limit)))
        op->flags |= CGROUP_OPTIONAL;
}

static void plan_limit(struct planner *p, const struct oci_memory *m) {
    if (m->limit.set && m->limit.value != 0)
        (void)put(p, CGROUP_MEMORY, "memory.limit_in_bytes", "memory.max", "memory limit",
                  limit_text(p, CGROUP_MEMORY, m->limit.value));
}

/* Version 1 keeps limit <= memory plus swap at every moment: whichever grows beyond the other's present value goes second. */
static bool swap_goes_first(struct planner *p, const struct oci_memory *m) {
    const char *now;

    if (!p->update || is_unified(p, CGROUP_MEMORY) || hierarchy_of(p, CGROUP_MEMORY) < 0 || !m->limit.set || !m->swap.set)
        return false;
    now = present(p, CGROUP_MEMORY, "memory.memsw.limit_in_bytes");
    return *now && (m->swap.value < 0 || (uint64_t)m->swap.value > strtoull(now, NULL, 10));
}

static void check_usage(struct planner *p, const struct oci_memory *m) {
    const char *now;

    if (!p->update || !m->check_before_update.value || !m->limit.set || m->limit.value <= 0 || hierarchy_of(p, CGROUP_MEMORY) < 0)
        return;
    now = present(p, CGROUP_MEMORY, is_unified(p, CGROUP_MEMORY) ? "memory.current" : "memory.usage_in_bytes");
    if (strtoull(now, NULL, 10) > (uint64_t)m->limit.value && p->r == 0)
        p->r = error_set(p->e, -EBUSY, "memory limit: %lld bytes is less than what the container uses now (%s bytes)",
                         (long long)m->limit.value, now);
}

/* Who takes the limit away takes that of memory and swap away, too: version 1 would refuse the one without the other. */
static struct oci_memory with_swap(struct planner *p, const struct oci_memory *m) {
    struct oci_memory all = *m;

    if (p->update && !is_unified(p, CGROUP_MEMORY) && m->limit.set && m->limit.value < 0 && !m->swap.set)
        all.swap = (struct opt_i64){true, -1};
    return all;
}

static void plan_memory(struct planner *p, const struct oci_memory *given) {
    const struct oci_memory all = with_swap(p, given), *m = &all;
    bool swap_first = swap_goes_first(p, m);

    check_usage(p, m);
    if (swap_first)
        plan_swap(p, m);
    plan_limit(p, m);
    if (!swap_first)
        plan_swap(p, m);
    if (m->reservation.set && m->reservation.value != 0)
        (void)put(p, CGROUP_MEMORY, "memory.soft_limit_in_bytes", "memory.low", "memory reservation",
                  limit_text(p, CGROUP_MEMORY, m->reservation.value));
    if (m->swappiness.set)
        (void)put(p, CGROUP_MEMORY, "memory.swappiness", NULL, "memory swappiness", unsigned_number(p, m->swappiness.value));
    if (m->disable_oom_killer.set && m->disable_oom_killer.value)
        (void)put(p, CGROUP_MEMORY, "memory.oom_control", NULL, "switching the OOM killer off", "1");
    if (m->kernel.set && m->kernel.value > 0) /* version 1 takes it and does nothing since 5.16; version 2 never had it */
        fail(p, "kernel memory limit", "no supported kernel has it");
    if (m->kernel_tcp.set && m->kernel_tcp.value != 0)
        (void)put(p, CGROUP_MEMORY, "memory.kmem.tcp.limit_in_bytes", NULL, "limit of TCP buffers", number(p, m->kernel_tcp.value));
}

/* In version 2 quota and period are one file. A half that is not given keeps its present value. */
static void plan_bandwidth(struct planner *p, const struct oci_cpu *c) {
    bool quota = c->quota.set && c->quota.value != 0, period = c->period.set && c->period.value != 0;
    const char *text = "max", *now;

    if (!is_unified(p, CGROUP_CPU)) {
        const bool shrinks =
            p->update && period && quota && c->period.value < strtoull(present(p, CGROUP_CPU, "cpu.cfs_period_us"), NULL, 10);

        /* At no moment may the share be more than that of the group above. */
        if (shrinks)
            (void)put(p, CGROUP_CPU, "cpu.cfs_quota_us", NULL, "CPU quota", number(p, c->quota.value));
        if (period)
            (void)put(p, CGROUP_CPU, "cpu.cfs_period_us", NULL, "CPU period", unsigned_number(p, c->period.value));
        if (quota && !shrinks)
            (void)put(p, CGROUP_CPU, "cpu.cfs_quota_us", NULL, "CPU quota", number(p, c->quota.value));
        return;
    }
    if (!quota && !period)
        return;
    if (quota)
        text = limit_text(p, CGROUP_CPU, c->quota.value);
    else if (p->update) {
        now = present(p, CGROUP_CPU, "cpu.max");
        text = *now ? arena_strndup(p->arena, now, strcspn(now, " ")) : text;
    }
    if (period)
        text = arena_printf(p->arena, "%s %llu", text, (unsigned long long)c->period.value);
    (void)put(p, CGROUP_CPU, NULL, "cpu.max", "CPU quota", text);
}

static void plan_cpu(struct planner *p, const struct oci_cpu *c) {
    if (c->shares.set && c->shares.value != 0)
        (void)put(p, CGROUP_CPU, "cpu.shares", "cpu.weight", "CPU shares",
                  unsigned_number(p, is_unified(p, CGROUP_CPU) ? cgroup_weight_of_shares(c->shares.value) : c->shares.value));
    plan_bandwidth(p, c);
    if (c->burst.set)
        (void)put(p, CGROUP_CPU, "cpu.cfs_burst_us", "cpu.max.burst", "CPU burst", unsigned_number(p, c->burst.value));
    if (c->idle.set)
        (void)put(p, CGROUP_CPU, "cpu.idle", "cpu.idle", "CPU idle policy", number(p, c->idle.value));
    if (c->realtime_period.set && c->realtime_period.value != 0)
        (void)put(p, CGROUP_CPU, "cpu.rt_period_us", NULL, "real-time period", unsigned_number(p, c->realtime_period.value));
    if (c->realtime_runtime.set && c->realtime_runtime.value != 0)
        (void)put(p, CGROUP_CPU, "cpu.rt_runtime_us", NULL, "real-time runtime", number(p, c->realtime_runtime.value));
    if (c->cpus && *c->cpus)
        (void)put(p, CGROUP_CPUSET, "cpuset.cpus", "cpuset.cpus", "set of CPUs", c->cpus);
    if (c->mems && *c->mems)
        (void)put(p, CGROUP_CPUSET, "cpuset.mems", "cpuset.mems", "set of memory nodes", c->mems);
}

/* The I/O scheduler in charge decides which file has an effect: BFQ's, else in version 2 the cost model's, which counts otherwise.
 */
static void plan_io_weight(struct planner *p, uint64_t weight, const char *device) {
    struct cgroup_op *op = put(p, CGROUP_IO, *device ? "blkio.bfq.weight_device" : "blkio.bfq.weight", "io.bfq.weight",
                               "block I/O weight", arena_printf(p->arena, "%s%llu", device, (unsigned long long)weight));

    if (!op)
        return;
    if (is_unified(p, CGROUP_IO)) {
        op->other_file = "io.weight";
        op->other_value = arena_printf(p->arena, "%s%llu", device, (unsigned long long)cgroup_io_weight(weight));
    } else {
        op->other_file = *device ? "blkio.weight_device" : "blkio.weight";
        op->other_value = op->value;
    }
}

static void plan_throttles(struct planner *p, const struct list *devices, const char *v1, const char *key, const char *what) {
    for (size_t i = 0; i < devices->n; i++) {
        const struct oci_throttle_device *d = LIST_AT(struct oci_throttle_device, devices, i);
        bool unified = is_unified(p, CGROUP_IO);
        const char *rate = unified && d->rate == 0 ? "max" : unsigned_number(p, d->rate);

        (void)put(p, CGROUP_IO, v1, "io.max", what,
                  arena_printf(p->arena, "%lld:%lld %s%s%s", (long long)d->major, (long long)d->minor, unified ? key : "",
                               unified ? "=" : "", rate));
    }
}

static void plan_io(struct planner *p, const struct oci_block_io *b) {
    if (b->weight.set && b->weight.value != 0)
        plan_io_weight(p, b->weight.value, "");
    if (b->leaf_weight.set && b->leaf_weight.value != 0)
        fail(p, "leaf weight of block I/O", "no supported kernel has it");
    for (size_t i = 0; i < b->weight_device.n; i++) {
        const struct oci_weight_device *d = LIST_AT(struct oci_weight_device, &b->weight_device, i);

        if (d->weight.set)
            plan_io_weight(p, d->weight.value, arena_printf(p->arena, "%lld:%lld ", (long long)d->major, (long long)d->minor));
    }
    plan_throttles(p, &b->throttle_read_bps_device, "blkio.throttle.read_bps_device", "rbps", "limit of bytes read");
    plan_throttles(p, &b->throttle_write_bps_device, "blkio.throttle.write_bps_device", "wbps", "limit of bytes written");
    plan_throttles(p, &b->throttle_read_iops_device, "blkio.throttle.read_iops_device", "riops", "limit of reads");
    plan_throttles(p, &b->throttle_write_iops_device, "blkio.throttle.write_iops_device", "wiops", "limit of writes");
}

/* Names that become part of a file's name in the group. */
static bool is_plain(const char *name) {
    if (!*name || *name == '.')
        return false;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
            return false;
    return true;
}

static void plan_hugetlb(struct planner *p, const struct list *limits) {
    for (size_t i = 0; i < limits->n; i++) {
        const struct oci_hugepage_limit *l = LIST_AT(struct oci_hugepage_limit, limits, i);

        if (!is_plain(l->page_size)) {
            fail(p, "huge page limit", "invalid page size");
            continue;
        }
        (void)put(p, CGROUP_HUGETLB, arena_printf(p->arena, "hugetlb.%s.limit_in_bytes", l->page_size),
                  arena_printf(p->arena, "hugetlb.%s.max", l->page_size), "huge page limit", unsigned_number(p, l->limit));
        /* Reservations: refused when they are asked for, where a page that is not there ends the program. */
        (void)put(p, CGROUP_HUGETLB, arena_printf(p->arena, "hugetlb.%s.rsvd.limit_in_bytes", l->page_size),
                  arena_printf(p->arena, "hugetlb.%s.rsvd.max", l->page_size), "huge page reservation limit",
                  unsigned_number(p, l->limit));
    }
}

static void plan_network(struct planner *p, const struct oci_network_limits *n) {
    if (n->class_id.set && n->class_id.value != 0)
        (void)put(p, CGROUP_NET_CLS, "net_cls.classid", NULL, "network class", unsigned_number(p, n->class_id.value));
    for (size_t i = 0; i < n->priorities.n; i++) {
        const struct oci_interface_priority *priority = LIST_AT(struct oci_interface_priority, &n->priorities, i);

        (void)put(p, CGROUP_NET_PRIO, "net_prio.ifpriomap", NULL, "network priority",
                  arena_printf(p->arena, "%s %u", priority->name, priority->priority));
    }
}

static void plan_rdma(struct planner *p, const struct list *devices) {
    for (size_t i = 0; i < devices->n; i++) {
        const struct oci_rdma *d = LIST_AT(struct oci_rdma, devices, i);
        const char *text = d->key;

        if (d->hca_handles.set)
            text = arena_printf(p->arena, "%s hca_handle=%llu", text, (unsigned long long)d->hca_handles.value);
        if (d->hca_objects.set)
            text = arena_printf(p->arena, "%s hca_object=%llu", text, (unsigned long long)d->hca_objects.value);
        (void)put(p, CGROUP_RDMA, "rdma.max", "rdma.max", "RDMA limit", text);
    }
}

/* Files that do something to the processes whose numbers are written, the host's own among them: no limits. */
static bool moves_processes(const char *file) {
    return strcmp(file, "cgroup.procs") == 0 || strcmp(file, "cgroup.threads") == 0;
}

static void plan_unified(struct planner *p, const struct map *files) {
    for (size_t i = 0; i < files->n && p->r == 0; i++) {
        if (p->layout->unified < 0)
            fail(p, arena_printf(p->arena, "unified %s", files->v[i].key), "this host has no cgroup version 2");
        else if (moves_processes(files->v[i].key))
            fail(p, arena_printf(p->arena, "unified %s", files->v[i].key), "moves processes of the host into the container");
        else if (!is_plain(files->v[i].key))
            p->r = error_set(p->e, -EINVAL, "\"%s\" is not the name of a cgroup file", files->v[i].key);
        else
            (void)add(p, &(struct cgroup_op){
                             .kind = CGROUP_WRITE,
                             .dir = cgroup_dir(p->layout, p->layout->unified, p->path, p->arena),
                             .file = files->v[i].key,
                             .value = files->v[i].value,
                             .what = arena_printf(p->arena, "unified %s", files->v[i].key),
                         });
    }
}

static void plan_devices(struct planner *p, const struct list *rules) {
    int h = hierarchy_of(p, CGROUP_DEVICES);
    const void *program;
    size_t size = 0;

    if (rules->n == 0 || p->r < 0)
        return;
    if (h >= 0) {
        p->r = cgroup_devices_files(rules, cgroup_dir(p->layout, h, p->path, p->arena), p->arena, p->ops, p->e);
        return;
    }
    if (p->layout->unified < 0) {
        fail(p, "device rules", "this host has no devices controller");
        return;
    }
    program = cgroup_devices_program(rules, p->arena, &size);
    if (program)
        (void)add(p, &(struct cgroup_op){
                         .kind = CGROUP_PROGRAM,
                         .dir = cgroup_dir(p->layout, p->layout->unified, p->path, p->arena),
                         .program = program,
                         .program_size = size,
                         .what = "device rules",
                     });
}

static void plan_resources(struct planner *p, const struct oci_resources *res) {
    plan_devices(p, &res->devices);
    if (res->memory)
        plan_memory(p, res->memory);
    if (res->cpu)
        plan_cpu(p, res->cpu);
    if (res->pids && res->pids->limit.set) {
        struct cgroup_op *op = put(p, CGROUP_PIDS, "pids.max", "pids.max", "limit of processes",
                                   res->pids->limit.value < 0 ? "max" : number(p, res->pids->limit.value));
        if (op && res->pids->limit.value == 0)
            op->flags |= CGROUP_LATE;
    }
    if (res->block_io)
        plan_io(p, res->block_io);
    plan_hugetlb(p, &res->hugepage_limits);
    if (res->network)
        plan_network(p, res->network);
    plan_rdma(p, &res->rdma);
    plan_unified(p, &res->unified);
}

static const char *parent_of(const char *path, struct arena *a) {
    return arena_strndup(a, path, (size_t)(strrchr(path, '/') - path));
}

/* Controllers that count something in every container, and those that are only of use with a limit. */
static unsigned wanted_controllers(const struct oci_resources *res) {
    unsigned set = 1U << CGROUP_CPU | 1U << CGROUP_CPUSET | 1U << CGROUP_MEMORY | 1U << CGROUP_PIDS | 1U << CGROUP_IO;

    if (res && res->hugepage_limits.n > 0)
        set |= 1U << CGROUP_HUGETLB;
    if (res && res->rdma.n > 0)
        set |= 1U << CGROUP_RDMA;
    return res && res->unified.n > 0 ? ~0U : set;
}

/* Version 2 hands a controller down only where every group above says so. */
static void plan_enabling(struct planner *p, unsigned wanted) {
    const struct cgroup_hierarchy *h = &p->layout->hierarchies[p->layout->unified];
    const char *words = "";

    for (int c = 0; c < CGROUP_CONTROLLERS; c++)
        if (h->controllers & wanted & 1U << c)
            words = arena_printf(p->arena, "%s%s+%s", words, *words ? " " : "", c == CGROUP_IO ? "io" : cgroup_controller_name(c));
    if (!*words)
        return;
    for (const char *end = p->path; end; end = strchr(end + 1, '/'))
        (void)add(p, &(struct cgroup_op){
                         .kind = CGROUP_ENABLE,
                         .dir = arena_printf(p->arena, "%s%.*s", h->mount, (int)(end - p->path), p->path),
                         .file = "cgroup.subtree_control",
                         .value = words,
                         .what = "controllers of the group below",
                     });
}

/* A new cpuset of version 1 is empty and takes no process. What the user asked for must lie within the parent's, so that one is
 * filled first in any case. */
static void plan_inheritance(struct planner *p, const struct oci_cpu *cpu) {
    static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
    int h = hierarchy_of(p, CGROUP_CPUSET);

    if (h < 0 || is_unified(p, CGROUP_CPUSET))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        const char *asked = cpu ? (i == 0 ? cpu->cpus : cpu->mems) : NULL;
        const char *path = asked && *asked ? parent_of(p->path, p->arena) : p->path;

        if (*path)
            (void)add(p, &(struct cgroup_op){
                             .kind = CGROUP_INHERIT,
                             .dir = cgroup_dir(p->layout, h, path, p->arena),
                             .file = files[i],
                             .what = i == 0 ? "set of CPUs" : "set of memory nodes",
                         });
    }
}

int cgroup_plan_create(const struct cgroup_layout *layout, const char *path, const struct oci_resources *resources, struct arena *a,
                       struct list *ret, struct error *e) {
    struct planner p = {.layout = layout, .path = path, .arena = a, .ops = ret, .e = e};

    for (int i = 0; i < layout->count; i++)
        (void)add(&p, &(struct cgroup_op){.kind = CGROUP_MKDIR, .dir = cgroup_dir(layout, i, path, a), .what = "group"});
    if (layout->unified >= 0)
        plan_enabling(&p, wanted_controllers(resources));
    plan_inheritance(&p, resources ? resources->cpu : NULL);
    if (resources)
        plan_resources(&p, resources);
    return p.r;
}

int cgroup_plan_update(const struct cgroup_layout *layout, const char *path, const struct oci_resources *resources, struct arena *a,
                       struct list *ret, struct error *e) {
    struct planner p = {.layout = layout, .path = path, .arena = a, .ops = ret, .e = e, .update = true};

    if (resources->devices.n > 0 && hierarchy_of(&p, CGROUP_DEVICES) < 0)
        fail(&p, "device rules", "cannot be changed in cgroup version 2 while the container runs");
    plan_resources(&p, resources);
    return p.r;
}

void cgroup_plan_attach(const struct cgroup_layout *layout, const char *path, bool born_in_unified, struct arena *a,
                        struct list *ret) {
    for (int i = 0; i < layout->count; i++) {
        if (born_in_unified && i == layout->unified)
            continue;
        *LIST_ADD(a, struct cgroup_op, ret) = (struct cgroup_op){
            .kind = CGROUP_ATTACH,
            .dir = cgroup_dir(layout, i, path, a),
            .file = "cgroup.procs",
            .what = "process",
        };
    }
}

void cgroup_plan_dirs(const struct cgroup_layout *layout, const char *path, struct arena *a, struct strs *ret) {
    for (int i = 0; i < layout->count; i++)
        strs_add(a, ret, cgroup_dir(layout, i, path, a));
}
