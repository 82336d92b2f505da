#include <string.h>
#include <sys/eventfd.h>

#include "kernel/cgroup.h"
#include "kernel/cgroup_file.h"
#include "kernel/sys.h"

/* Version 1 says "no limit" by the largest multiple of the page size. */
#define V1_NO_LIMIT ((uint64_t)1 << 62)

/* A number in a file of its own, or behind a key. */
struct source {
    enum cgroup_controller controller;
    const char *file;
    const char *key; /* NULL: the file is the number; "max" is UINT64_MAX */
    uint64_t unit;   /* the number is multiplied by it */
    size_t offset;   /* in struct cgroup_stats */
};
#define STAT(member) offsetof(struct cgroup_stats, member)

static const struct source v1_sources[] = {
    {CGROUP_CPUACCT, "cpuacct.usage", NULL, 1, STAT(cpu_ns)},
    {CGROUP_CPUACCT, "cpuacct.usage_user", NULL, 1, STAT(cpu_user_ns)},
    {CGROUP_CPUACCT, "cpuacct.usage_sys", NULL, 1, STAT(cpu_system_ns)},
    {CGROUP_CPU, "cpu.stat", "nr_periods", 1, STAT(throttle_periods)},
    {CGROUP_CPU, "cpu.stat", "nr_throttled", 1, STAT(throttled_periods)},
    {CGROUP_CPU, "cpu.stat", "throttled_time", 1, STAT(throttled_ns)},
    {CGROUP_MEMORY, "memory.usage_in_bytes", NULL, 1, STAT(memory_total)},
    {CGROUP_MEMORY, "memory.max_usage_in_bytes", NULL, 1, STAT(memory_max)},
    {CGROUP_MEMORY, "memory.limit_in_bytes", NULL, 1, STAT(memory_limit)},
    {CGROUP_MEMORY, "memory.failcnt", NULL, 1, STAT(memory_failures)},
    {CGROUP_MEMORY, "memory.stat", "total_inactive_file", 1, STAT(memory_cache)},
    {CGROUP_PIDS, "pids.current", NULL, 1, STAT(pids)},
    {CGROUP_PIDS, "pids.max", NULL, 1, STAT(pids_limit)},
};

static const struct source v2_sources[] = {
    {CGROUP_CPU, "cpu.stat", "usage_usec", 1000, STAT(cpu_ns)},
    {CGROUP_CPU, "cpu.stat", "user_usec", 1000, STAT(cpu_user_ns)},
    {CGROUP_CPU, "cpu.stat", "system_usec", 1000, STAT(cpu_system_ns)},
    {CGROUP_CPU, "cpu.stat", "nr_periods", 1, STAT(throttle_periods)},
    {CGROUP_CPU, "cpu.stat", "nr_throttled", 1, STAT(throttled_periods)},
    {CGROUP_CPU, "cpu.stat", "throttled_usec", 1000, STAT(throttled_ns)},
    {CGROUP_MEMORY, "memory.current", NULL, 1, STAT(memory_total)},
    {CGROUP_MEMORY, "memory.peak", NULL, 1, STAT(memory_max)},
    {CGROUP_MEMORY, "memory.max", NULL, 1, STAT(memory_limit)},
    {CGROUP_MEMORY, "memory.events", "max", 1, STAT(memory_failures)},
    {CGROUP_MEMORY, "memory.stat", "inactive_file", 1, STAT(memory_cache)},
    {CGROUP_PIDS, "pids.current", NULL, 1, STAT(pids)},
    {CGROUP_PIDS, "pids.max", NULL, 1, STAT(pids_limit)},
};

static uint64_t number_of(const char *text) {
    return strncmp(text, "max", 3) == 0 ? UINT64_MAX : strtoull(text, NULL, 10);
}

/* Reads the files of one controller; a file that stands in several rows of the table is read once. */
static void read_sources(int dirfd, const struct source *sources, size_t n, enum cgroup_controller c, struct cgroup_stats *stats) {
    char text[CGROUP_TEXT_MAX] = "";
    const char *loaded = NULL;

    for (size_t i = 0; i < n; i++) {
        uint64_t value;

        if (sources[i].controller != c)
            continue;
        if (!loaded || strcmp(loaded, sources[i].file) != 0) {
            if (cgroup_read(dirfd, sources[i].file, text) < 0)
                text[0] = '\0';
            loaded = sources[i].file;
        }
        if (!text[0])
            continue;
        if (!sources[i].key)
            value = number_of(text);
        else if (!cgroup_find_number(text, sources[i].key, &value))
            continue;
        *(uint64_t *)(void *)((char *)stats + sources[i].offset) = value == UINT64_MAX ? value : value * sources[i].unit;
    }
}

/* Version 1: lines "8:0 Read 4096". */
static void sum_v1(int dirfd, const char *file, uint64_t *reads, uint64_t *writes) {
    char text[CGROUP_TEXT_MAX], *line, *rest = text;

    if (cgroup_read(dirfd, file, text) < 0)
        return;
    while ((line = strsep(&rest, "\n"))) {
        const char *word = strchr(line, ' ');

        if (word && strncmp(word, " Read ", 6) == 0)
            *reads += strtoull(word + 6, NULL, 10);
        else if (word && strncmp(word, " Write ", 7) == 0)
            *writes += strtoull(word + 7, NULL, 10);
    }
}

/* Version 2: lines "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …". */
static void sum_v2(int dirfd, struct cgroup_stats *stats) {
    static const struct {
        const char *key;
        size_t offset;
    } keys[] = {
        {"rbytes=", STAT(io_read_bytes)},
        {"wbytes=", STAT(io_write_bytes)},
        {"rios=", STAT(io_reads)},
        {"wios=", STAT(io_writes)},
    };
    char text[CGROUP_TEXT_MAX], *word, *rest = text;

    if (cgroup_read(dirfd, "io.stat", text) < 0)
        return;
    while ((word = strsep(&rest, " \n")))
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
            if (strncmp(word, keys[i].key, strlen(keys[i].key)) == 0)
                *(uint64_t *)(void *)((char *)stats + keys[i].offset) += strtoull(word + strlen(keys[i].key), NULL, 10);
}

static void read_controller(const struct cgroup_layout *l, const char *path, enum cgroup_controller c, struct cgroup_stats *stats) {
    /* Version 2 counts CPU time in every group, whether the controller is handed down or not. */
    int h = l->of[c] >= 0 || c != CGROUP_CPU ? l->of[c] : l->unified;
    _cleanup_fd_ int dirfd = h < 0 ? -ENOENT : cgroup_open_group(l, h, path);

    if (dirfd < 0)
        return;
    if (l->hierarchies[h].unified) {
        read_sources(dirfd, v2_sources, ARRAY_SIZE(v2_sources), c, stats);
        if (c == CGROUP_IO)
            sum_v2(dirfd, stats);
        return;
    }
    read_sources(dirfd, v1_sources, ARRAY_SIZE(v1_sources), c, stats);
    if (c == CGROUP_IO) {
        sum_v1(dirfd, "blkio.throttle.io_service_bytes_recursive", &stats->io_read_bytes, &stats->io_write_bytes);
        sum_v1(dirfd, "blkio.throttle.io_serviced_recursive", &stats->io_reads, &stats->io_writes);
    }
}

int cgroup_stats(const struct cgroup_layout *l, const char *path, struct cgroup_stats *ret, struct error *e) {
    static const enum cgroup_controller read[] = {CGROUP_CPU, CGROUP_CPUACCT, CGROUP_MEMORY, CGROUP_PIDS, CGROUP_IO};
    struct cgroup_stats stats = {.memory_limit = UINT64_MAX, .pids_limit = UINT64_MAX};

    if (!cgroup_exists(l, path))
        return error_errno(e, -ENOENT, "read the statistics of the group %s", path);
    for (size_t i = 0; i < ARRAY_SIZE(read); i++)
        read_controller(l, path, read[i], &stats);
    if (stats.memory_limit >= V1_NO_LIMIT)
        stats.memory_limit = UINT64_MAX;
    stats.memory_usage = stats.memory_total > stats.memory_cache ? stats.memory_total - stats.memory_cache : stats.memory_total;
    *ret = stats;
    return 0;
}

static int open_memory(const struct cgroup_layout *l, const char *path, bool *ret_unified) {
    int h = l->of[CGROUP_MEMORY];

    if (h < 0)
        return -ENOENT;
    *ret_unified = l->hierarchies[h].unified;
    return cgroup_open_group(l, h, path);
}

uint64_t cgroup_oom_kills(const struct cgroup_layout *l, const char *path) {
    bool unified;
    _cleanup_fd_ int dirfd = open_memory(l, path, &unified);
    char text[CGROUP_TEXT_MAX];
    uint64_t n = 0;

    if (dirfd < 0 || cgroup_read(dirfd, unified ? "memory.events" : "memory.oom_control", text) < 0 ||
        !cgroup_find_number(text, "oom_kill", &n))
        return 0;
    return n;
}

/* Version 1 tells through an eventfd that is registered with the group (memory.rst, section 10). */
static int notifier_v1(int dirfd) {
    _cleanup_fd_ int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    _cleanup_fd_ int control = sys_openat(dirfd, "memory.oom_control", O_RDONLY | O_CLOEXEC, 0);
    char text[32];
    int r;

    if (event < 0)
        return -errno;
    if (control < 0)
        return control;
    (void)snprintf(text, sizeof(text), "%d %d", event, control);
    r = cgroup_write(dirfd, "cgroup.event_control", text);
    return r < 0 ? r : TAKE_FD(event);
}

int cgroup_oom_notifier(const struct cgroup_layout *l, const char *path, struct error *e) {
    bool unified = false;
    _cleanup_fd_ int dirfd = open_memory(l, path, &unified);
    int fd = dirfd;

    if (fd >= 0)
        fd = unified ? sys_openat(dirfd, "memory.events", O_RDONLY | O_CLOEXEC, 0) : notifier_v1(dirfd);
    return fd < 0 ? error_errno(e, fd, "watch the group %s for want of memory", path) : fd;
}
