#include <string.h>

#include "cli/command.h"
#include "cli/container_flags.h"
#include "engine/lookup.h"
#include "engine/usage.h"

struct update_options {
    struct opt_i64 memory, memory_reservation, memory_swap, cpus, pids_limit, cpu_shares, cpu_period, cpu_quota, blkio_weight,
        kernel_memory;
    const char *cpuset_cpus, *cpuset_mems, *restart;
};

#define KIND(member, letter, name, kind, value, help)                                                                              \
    OPTION_AT(struct update_options, member, letter, name, OPTION_KIND_##kind, value, help)
static const struct option update_table[] = {
    KIND(blkio_weight, 0, "blkio-weight", OPT_INT, "uint16",
         "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)"),
    KIND(cpu_period, 0, "cpu-period", OPT_INT, "int", "Limit CPU CFS (Completely Fair Scheduler) period"),
    KIND(cpu_quota, 0, "cpu-quota", OPT_INT, "int", "Limit CPU CFS (Completely Fair Scheduler) quota"),
    KIND(cpu_shares, 'c', "cpu-shares", OPT_INT, "int", "CPU shares (relative weight)"),
    KIND(cpus, 0, "cpus", DECIMAL, "decimal", "Number of CPUs"),
    OPTION_STR(struct update_options, cpuset_cpus, 0, "cpuset-cpus", "string", "CPUs in which to allow execution (0-3, 0,1)"),
    OPTION_STR(struct update_options, cpuset_mems, 0, "cpuset-mems", "string", "MEMs in which to allow execution (0-3, 0,1)"),
    OPTION_FULL(struct update_options, kernel_memory, 0, "kernel-memory", OPTION_KIND_SIZE, "bytes", OPTION_DEPRECATED, NULL,
                "the kernel has no such limit any more"),
    KIND(memory, 'm', "memory", SIZE, "bytes", "Memory limit"),
    KIND(memory_reservation, 0, "memory-reservation", SIZE, "bytes", "Memory soft limit"),
    KIND(memory_swap, 0, "memory-swap", SIZE, "bytes", "Swap limit equal to memory plus swap: -1 to enable unlimited swap"),
    KIND(pids_limit, 0, "pids-limit", OPT_INT, "int", "Tune container pids limit (set -1 for unlimited)"),
    OPTION_STR(struct update_options, restart, 0, "restart", "string", "Restart policy to apply when a container exits"),
    OPTION_END,
};
#undef KIND

static int fill(const struct update_options *o, struct arena *a, struct host_config *h, struct error *e) {
    *h = (struct host_config){
        .memory = o->memory.value,
        .memory_reservation = o->memory_reservation.value,
        .memory_swap = o->memory_swap.value,
        .nano_cpus = o->cpus.value,
        .cpu_shares = o->cpu_shares.value,
        .cpu_period = o->cpu_period.value,
        .cpu_quota = o->cpu_quota.value,
        .blkio_weight = (uint32_t)o->blkio_weight.value,
        .pids_limit = o->pids_limit,
        .cpuset_cpus = o->cpuset_cpus,
        .cpuset_mems = o->cpuset_mems,
    };
    if (o->memory.set && o->memory.value < 6 << 20)
        return error_set(e, -EINVAL, "Minimum memory limit allowed is 6MB");
    if (o->blkio_weight.set && o->blkio_weight.value != 0 && (o->blkio_weight.value < 10 || o->blkio_weight.value > 1000))
        return error_set(e, -EINVAL, "range of blkio weight is from 10 to 1000");
    return o->restart ? restart_rule_parse(o->restart, a, &h->restart, e) : 0;
}

/* Whether any flag was given: an empty request is a mistake. */
static bool is_empty(const struct update_options *o) {
    return !o->memory.set && !o->memory_reservation.set && !o->memory_swap.set && !o->cpus.set && !o->pids_limit.set &&
           !o->cpu_shares.set && !o->cpu_period.set && !o->cpu_quota.set && !o->blkio_weight.set && !o->cpuset_cpus &&
           !o->cpuset_mems && !o->restart && !o->kernel_memory.set;
}

static int update_one(struct cli *cli, const char *name, void *changes, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct engine *engine;
    int r = cli_engine(cli, &engine, e);

    if (r >= 0)
        r = container_open(engine, name, &cli->arena, &c, e);
    if (r >= 0)
        r = container_update(engine, &c, changes, &cli->arena, e);
    if (r >= 0)
        puts(name);
    return r;
}

static int update_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    struct host_config changes;
    int r = is_empty(options) ? error_set(e, -EINVAL, "you must provide one or more flags when using this command")
                              : fill(options, &cli->arena, &changes, e);

    return r < 0 ? r : cli_each(cli, args, update_one, &changes, e);
}

const struct command command_update = {
    .names = {"update", "container update"},
    .usage = "CONTAINER [CONTAINER...]",
    .summary = "Update configuration of one or more containers",
    COMMAND_OPTIONS(struct update_options, update_table),
    .args_min = 1,
    .args_max = COMMAND_ARGS_ANY,
    .run = update_run,
};
