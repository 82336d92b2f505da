/* update: other limits for a container that runs, from a document or from flags. */
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "model/units.h"
#include "oci/oci.h"

enum value { SIZE, NUMBER, COUNT, TEXT };
#define AT(type, member, kind) kind, offsetof(struct type, member)
enum part { MEMORY, CPU, PIDS, BLOCK_IO, PARTS };

/* In the order of enum oci_update_flag (oci.h). NUMBER: struct opt_i64; COUNT: struct opt_u64. */
static const struct {
    const char *name;
    enum part part;
    enum value kind;
    size_t offset;
} limits[OCI_UPDATE_FLAGS] = {
    [OCI_UPDATE_MEMORY] = {"memory", MEMORY, AT(oci_memory, limit, SIZE)},
    [OCI_UPDATE_MEMORY_RESERVATION] = {"memory-reservation", MEMORY, AT(oci_memory, reservation, SIZE)},
    [OCI_UPDATE_MEMORY_SWAP] = {"memory-swap", MEMORY, AT(oci_memory, swap, SIZE)},
    [OCI_UPDATE_KERNEL_MEMORY] = {"kernel-memory", MEMORY, AT(oci_memory, kernel, SIZE)},
    [OCI_UPDATE_KERNEL_MEMORY_TCP] = {"kernel-memory-tcp", MEMORY, AT(oci_memory, kernel_tcp, SIZE)},
    [OCI_UPDATE_CPU_PERIOD] = {"cpu-period", CPU, AT(oci_cpu, period, COUNT)},
    [OCI_UPDATE_CPU_QUOTA] = {"cpu-quota", CPU, AT(oci_cpu, quota, NUMBER)},
    [OCI_UPDATE_CPU_BURST] = {"cpu-burst", CPU, AT(oci_cpu, burst, COUNT)},
    [OCI_UPDATE_CPU_SHARE] = {"cpu-share", CPU, AT(oci_cpu, shares, COUNT)},
    [OCI_UPDATE_CPU_RT_PERIOD] = {"cpu-rt-period", CPU, AT(oci_cpu, realtime_period, COUNT)},
    [OCI_UPDATE_CPU_RT_RUNTIME] = {"cpu-rt-runtime", CPU, AT(oci_cpu, realtime_runtime, NUMBER)},
    [OCI_UPDATE_CPU_IDLE] = {"cpu-idle", CPU, AT(oci_cpu, idle, NUMBER)},
    [OCI_UPDATE_CPUSET_CPUS] = {"cpuset-cpus", CPU, AT(oci_cpu, cpus, TEXT)},
    [OCI_UPDATE_CPUSET_MEMS] = {"cpuset-mems", CPU, AT(oci_cpu, mems, TEXT)},
    [OCI_UPDATE_PIDS_LIMIT] = {"pids-limit", PIDS, AT(oci_pids, limit, NUMBER)},
    [OCI_UPDATE_BLKIO_WEIGHT] = {"blkio-weight", BLOCK_IO, AT(oci_block_io, weight, COUNT)},
};

static int set_limit(size_t i, const char *text, char *to, struct error *e) {
    int64_t value = 0;
    int r;

    if (limits[i].kind == TEXT) {
        *(const char **)(void *)to = text;
        return 0;
    }
    r = limits[i].kind == SIZE ? size_parse(text, &value, NULL)
                               : int_parse(text, limits[i].kind == COUNT ? 0 : INT64_MIN, INT64_MAX, &value);
    if (r < 0)
        return error_set(e, -EINVAL, "--%s: %s is not a %s", limits[i].name, text, limits[i].kind == SIZE ? "size" : "number");
    if (limits[i].kind == COUNT)
        *(struct opt_u64 *)(void *)to = (struct opt_u64){true, (uint64_t)value};
    else
        *(struct opt_i64 *)(void *)to = (struct opt_i64){true, value};
    return 0;
}

static int from_flags(struct oci_call *call, struct oci_resources *ret, struct error *e) {
    static const size_t sizes[PARTS] = {[MEMORY] = sizeof(struct oci_memory),
                                        [CPU] = sizeof(struct oci_cpu),
                                        [PIDS] = sizeof(struct oci_pids),
                                        [BLOCK_IO] = sizeof(struct oci_block_io)};
    char *parts[PARTS] = {NULL};

    for (size_t i = 0; i < OCI_UPDATE_FLAGS; i++) {
        const char *text = call->o.limit[i];
        int r;

        if (!text)
            continue;
        if (!parts[limits[i].part]) {
            parts[limits[i].part] = arena_alloc(&call->arena, sizes[limits[i].part]);
            memset(parts[limits[i].part], 0, sizes[limits[i].part]);
        }
        r = set_limit(i, text, parts[limits[i].part] + limits[i].offset, e);
        if (r < 0)
            return r;
    }
    ret->memory = (struct oci_memory *)(void *)parts[MEMORY];
    ret->cpu = (struct oci_cpu *)(void *)parts[CPU];
    ret->pids = (struct oci_pids *)(void *)parts[PIDS];
    ret->block_io = (struct oci_block_io *)(void *)parts[BLOCK_IO];
    if (!ret->memory && !ret->cpu && !ret->pids && !ret->block_io && !call->o.l3_cache_schema && !call->o.mem_bw_schema)
        return error_set(e, -EINVAL, "update: a limit, or --resources FILE is needed (- is standard input)");
    return 0;
}

static int from_document(struct oci_call *call, struct oci_resources *ret, struct error *e) {
    const char *path = call->o.resources;
    _cleanup_buf_ struct buf text = BUF_INIT;
    bool input = strcmp(path, "-") == 0; /* by number: not every machine has /dev/stdin */
    _cleanup_fd_ int fd = input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int r = fd < 0 ? error_errno(e, -errno, "read %s", path) : fs_read_fd(fd, OCI_CONFIG_MAX, &text, e);

    return r < 0 ? r : json_decode(&oci_resources_table, buf_text(&text), text.size, &call->arena, ret, e);
}

/* --l3-cache-schema, --mem-bw-schema: lines of the container's own group in resctrl. */
static int plan_resctrl(struct oci_call *call, const struct oci_container *c, struct list *ops, struct error *e) {
    const char *const lines[] = {call->o.l3_cache_schema, call->o.mem_bw_schema};

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        if (!lines[i])
            continue;
        if (!c->state.own.resctrl)
            return error_set(e, -EINVAL, "%s: the container has no group in resctrl: its linux.intelRdt says none",
                             i == 0 ? "--l3-cache-schema" : "--mem-bw-schema");
        *LIST_ADD(&call->arena, struct cgroup_op, ops) = (struct cgroup_op){
            .kind = CGROUP_WRITE, .dir = c->state.own.resctrl, .file = "schemata", .value = lines[i], .what = "linux.intelRdt"};
    }
    return 0;
}

int oci_update(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    struct cgroup_layout layout;
    struct oci_resources resources = {0};
    struct list ops = {0};
    int r;

    if (call->o.args.n != 1)
        return error_set(e, -EINVAL, "update: a container id is expected");
    r = oci_container_open(call, call->o.args.v[0], &c, e);
    if (r < 0)
        return r;
    if (oci_is(&c, "stopped"))
        return error_set(e, -ESRCH, "container not running");
    r = oci_container_layout(&c, &layout, e);
    if (r < 0)
        return r;
    r = call->o.resources ? from_document(call, &resources, e) : from_flags(call, &resources, e);
    if (r == 0 && call->o.resources)
        r = oci_check_resources(&resources, e);
    if (r == 0)
        r = cgroup_plan_update(&layout, c.state.own.cgroup, &resources, &call->arena, &ops, e);
    if (r == 0)
        r = plan_resctrl(call, &c, &ops, e);
    if (r == 0)
        r = cgroup_ops_run(&ops, 0, e);
    return r < 0 || !c.state.own.scope ? r : oci_scope_update(call, &c, &layout, &resources, e);
}
