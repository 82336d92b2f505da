/* Metrics of a container in the form of containerd/cgroups: one message for version 1, another for version 2. */
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "kernel/cgroup.h"
#include "shim/messages.pb-c.h"
#include "shim/shim.h"

#define FILE_MAX ((size_t)1 << 16)

struct number {
    const char *key;
    size_t offset;
};

#define M1(name)                                                                                                                   \
    { #name, offsetof(Pb__Memory1, name) }
static const struct number memory1[] = {
    M1(cache),
    M1(rss),
    M1(rss_huge),
    M1(mapped_file),
    M1(dirty),
    M1(writeback),
    M1(pgpgin),
    M1(pgpgout),
    M1(pgfault),
    M1(pgmajfault),
    M1(inactive_anon),
    M1(active_anon),
    M1(inactive_file),
    M1(active_file),
    M1(unevictable),
    M1(hierarchical_memory_limit),
    M1(hierarchical_memsw_limit),
    M1(total_cache),
    M1(total_rss),
    M1(total_rss_huge),
    M1(total_mapped_file),
    M1(total_dirty),
    M1(total_writeback),
    M1(total_pgpgin),
    M1(total_pgpgout),
    M1(total_pgfault),
    M1(total_pgmajfault),
    M1(total_inactive_anon),
    M1(total_active_anon),
    M1(total_inactive_file),
    M1(total_active_file),
    M1(total_unevictable),
};
#define M2(name)                                                                                                                   \
    { #name, offsetof(Pb__Memory2, name) }
static const struct number memory2[] = {
    M2(anon),
    M2(file),
    M2(kernel_stack),
    M2(slab),
    M2(sock),
    M2(shmem),
    M2(file_mapped),
    M2(file_dirty),
    M2(file_writeback),
    M2(anon_thp),
    M2(inactive_anon),
    M2(active_anon),
    M2(inactive_file),
    M2(active_file),
    M2(unevictable),
    M2(slab_reclaimable),
    M2(slab_unreclaimable),
    M2(pgfault),
    M2(pgmajfault),
    M2(workingset_refault),
    M2(workingset_activate),
    M2(workingset_nodereclaim),
    M2(pgrefill),
    M2(pgscan),
    M2(pgsteal),
    M2(pgactivate),
    M2(pgdeactivate),
    M2(pglazyfree),
    M2(pglazyfreed),
    M2(thp_fault_alloc),
    M2(thp_collapse_alloc),
};
#define E2(name)                                                                                                                   \
    { #name, offsetof(Pb__Events2, name) }
static const struct number events2[] = {E2(low), E2(high), E2(max), E2(oom), E2(oom_kill), E2(oom_group_kill)};
#define O1(name)                                                                                                                   \
    { #name, offsetof(Pb__Oom1, name) }
static const struct number oom1[] = {O1(oom_kill_disable), O1(under_oom), O1(oom_kill)};

/* Lines "key number", into the members of that name. What is not there stays 0. */
static void read_numbers(const char *dir, const char *file, const struct number *numbers, size_t n, void *into, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    char *line, *rest;

    if (fs_read_at(AT_FDCWD, arena_printf(a, "%s/%s", dir, file), FILE_MAX, &text, NULL) < 0 || !text.data)
        return;
    for (rest = text.data; (line = strsep(&rest, "\n"));) {
        char *space = strchr(line, ' ');

        if (!space)
            continue;
        *space = '\0';
        for (size_t i = 0; i < n; i++)
            if (strcmp(numbers[i].key, line) == 0)
                *(uint64_t *)(void *)((char *)into + numbers[i].offset) = strtoull(space + 1, NULL, 10);
    }
}

/* A file with one number; "max" is the highest; 0: there is none. */
static uint64_t read_number(const char *dir, const char *file, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    if (fs_read_at(AT_FDCWD, arena_printf(a, "%s/%s", dir, file), FILE_MAX, &text, NULL) < 0)
        return 0;
    return strncmp(buf_text(&text), "max", 3) == 0 ? UINT64_MAX : strtoull(buf_text(&text), NULL, 10);
}

static uint64_t limit_or_zero(uint64_t limit) {
    return limit == UINT64_MAX ? 0 : limit;
}

static const char *memory_dir(const struct cgroup_layout *l, const char *cgroup, struct arena *a) {
    return l->of[CGROUP_MEMORY] == CGROUP_NONE ? "/nonexistent" : cgroup_dir(l, l->of[CGROUP_MEMORY], cgroup, a);
}

static void pack_any(const char *type, const ProtobufCMessage *metrics, struct arena *a, Pb__Any *out) {
    _cleanup_buf_ struct buf value = BUF_INIT;

    message_pack(metrics, &value);
    pb__any__init(out);
    out->type_url = (char *)(uintptr_t)type;
    out->value = (ProtobufCBinaryData){value.size, arena_memdup(a, value.data, value.size)};
}

/* Of version 1, as the kernel writes them: what a limit is when there is none is known to readers. */
static void read_memory_entry(const char *dir, const char *what, Pb__MemoryEntry *ret, struct arena *a) {
    ret->limit = read_number(dir, arena_printf(a, "memory.%slimit_in_bytes", what), a);
    ret->usage = read_number(dir, arena_printf(a, "memory.%susage_in_bytes", what), a);
    ret->max = read_number(dir, arena_printf(a, "memory.%smax_usage_in_bytes", what), a);
    ret->failcnt = read_number(dir, arena_printf(a, "memory.%sfailcnt", what), a);
}

static void read_per_cpu(const struct cgroup_layout *l, const char *cgroup, Pb__CpuUsage1 *ret, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    struct list numbers = {0};
    const char *dir = l->of[CGROUP_CPUACCT] == CGROUP_NONE ? "/nonexistent" : cgroup_dir(l, l->of[CGROUP_CPUACCT], cgroup, a);
    char *word, *rest;

    if (fs_read_at(AT_FDCWD, arena_printf(a, "%s/cpuacct.usage_percpu", dir), FILE_MAX, &text, NULL) < 0 || !text.data)
        return;
    for (rest = text.data; (word = strsep(&rest, " \n"));)
        if (*word)
            *LIST_ADD(a, uint64_t, &numbers) = strtoull(word, NULL, 10);
    ret->n_per_cpu = numbers.n;
    ret->per_cpu = numbers.n > 0 ? LIST_AT(uint64_t, &numbers, 0) : NULL;
}

static void make_v1(const struct cgroup_layout *l, const char *cgroup, const struct cgroup_stats *st, struct arena *a,
                    Pb__Any *out) {
    char read_[] = "Read", write_[] = "Write";
    Pb__Metrics1 m = PB__METRICS1__INIT;
    Pb__Pids pids = PB__PIDS__INIT;
    Pb__Cpu1 cpu = PB__CPU1__INIT;
    Pb__CpuUsage1 usage = PB__CPU_USAGE1__INIT;
    Pb__Throttle1 throttle = PB__THROTTLE1__INIT;
    Pb__Memory1 memory = PB__MEMORY1__INIT;
    Pb__MemoryEntry bytes = PB__MEMORY_ENTRY__INIT, swap = PB__MEMORY_ENTRY__INIT;
    Pb__MemoryEntry kernel = PB__MEMORY_ENTRY__INIT, tcp = PB__MEMORY_ENTRY__INIT;
    Pb__Oom1 oom = PB__OOM1__INIT;
    Pb__Blkio1 blkio = PB__BLKIO1__INIT;
    Pb__BlkioEntry1 entries[4] = {PB__BLKIO_ENTRY1__INIT, PB__BLKIO_ENTRY1__INIT, PB__BLKIO_ENTRY1__INIT, PB__BLKIO_ENTRY1__INIT};
    Pb__BlkioEntry1 *sizes[] = {&entries[0], &entries[1]}, *counts[] = {&entries[2], &entries[3]};
    const uint64_t values[] = {st->io_read_bytes, st->io_write_bytes, st->io_reads, st->io_writes};

    pids.current = st->pids;
    pids.limit = limit_or_zero(st->pids_limit);
    usage.total = st->cpu_ns;
    usage.user = st->cpu_user_ns;
    usage.kernel = st->cpu_system_ns;
    throttle.periods = st->throttle_periods;
    throttle.throttled_periods = st->throttled_periods;
    throttle.throttled_time = st->throttled_ns;
    cpu.usage = &usage;
    cpu.throttling = &throttle;
    read_numbers(memory_dir(l, cgroup, a), "memory.stat", memory1, ARRAY_SIZE(memory1), &memory, a);
    read_numbers(memory_dir(l, cgroup, a), "memory.oom_control", oom1, ARRAY_SIZE(oom1), &oom, a);
    read_per_cpu(l, cgroup, &usage, a);
    read_memory_entry(memory_dir(l, cgroup, a), "", &bytes, a);
    read_memory_entry(memory_dir(l, cgroup, a), "memsw.", &swap, a);
    read_memory_entry(memory_dir(l, cgroup, a), "kmem.", &kernel, a);
    read_memory_entry(memory_dir(l, cgroup, a), "kmem.tcp.", &tcp, a);
    memory.usage = &bytes;
    memory.swap = &swap;
    memory.kernel = &kernel;
    memory.kernel_tcp = &tcp;
    for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
        entries[i].op = i % 2 ? write_ : read_;
        entries[i].value = values[i];
    }
    blkio.n_bytes = blkio.n_serviced = st->io_reads + st->io_writes > 0 ? ARRAY_SIZE(sizes) : 0;
    blkio.bytes = sizes;
    blkio.serviced = counts;
    m.pids = &pids;
    m.cpu = &cpu;
    m.memory = &memory;
    m.blkio = &blkio;
    m.memory_oom_control = &oom;
    pack_any("io.containerd.cgroups.v1.Metrics", &m.base, a, out);
}

static void make_v2(const struct cgroup_layout *l, const char *cgroup, const struct cgroup_stats *st, struct arena *a,
                    Pb__Any *out) {
    Pb__Metrics2 m = PB__METRICS2__INIT;
    Pb__Pids pids = PB__PIDS__INIT;
    Pb__Cpu2 cpu = PB__CPU2__INIT;
    Pb__Memory2 memory = PB__MEMORY2__INIT;
    Pb__Events2 events = PB__EVENTS2__INIT;
    Pb__Io2 io = PB__IO2__INIT;
    Pb__IoEntry2 entry = PB__IO_ENTRY2__INIT, *entries[] = {&entry};

    pids.current = st->pids;
    pids.limit = limit_or_zero(st->pids_limit);
    cpu.usage_usec = st->cpu_ns / 1000;
    cpu.user_usec = st->cpu_user_ns / 1000;
    cpu.system_usec = st->cpu_system_ns / 1000;
    cpu.nr_periods = st->throttle_periods;
    cpu.nr_throttled = st->throttled_periods;
    cpu.throttled_usec = st->throttled_ns / 1000;
    read_numbers(memory_dir(l, cgroup, a), "memory.stat", memory2, ARRAY_SIZE(memory2), &memory, a);
    read_numbers(memory_dir(l, cgroup, a), "memory.events", events2, ARRAY_SIZE(events2), &events, a);
    memory.usage = st->memory_total;
    memory.usage_limit = st->memory_limit;
    memory.max_usage = st->memory_max;
    memory.swap_usage = read_number(memory_dir(l, cgroup, a), "memory.swap.current", a);
    memory.swap_limit = read_number(memory_dir(l, cgroup, a), "memory.swap.max", a);
    memory.swap_max_usage = read_number(memory_dir(l, cgroup, a), "memory.swap.peak", a);
    entry.rbytes = st->io_read_bytes;
    entry.wbytes = st->io_write_bytes;
    entry.rios = st->io_reads;
    entry.wios = st->io_writes;
    io.n_usage = 1;
    io.usage = entries;
    m.pids = &pids;
    m.cpu = &cpu;
    m.memory = &memory;
    m.io = &io;
    m.memory_events = &events;
    pack_any("io.containerd.cgroups.v2.Metrics", &m.base, a, out);
}

int stats_make(const char *cgroup, struct arena *a, Pb__Any *out, struct error *e) {
    struct cgroup_layout layout;
    struct cgroup_stats st;
    int r = cgroup_layout_read(&layout, e);

    if (r >= 0)
        r = cgroup_stats(&layout, cgroup, &st, e);
    if (r < 0)
        return r;
    /* What the whole host has decides which message containerd's readers expect, as containerd itself looks at /sys/fs/cgroup. */
    if (strcmp(cgroup_layout_name(&layout), "v2") == 0)
        make_v2(&layout, cgroup, &st, a, out);
    else
        make_v1(&layout, cgroup, &st, a, out);
    return 0;
}
