/* What `info` and `version` answer, the API's GET /info and /version too: documents by field tables. */
#pragma once

#include "base/json.h"
#include "engine/engine.h"

struct config;

struct system_info {
    const char *id; /* of this data root: stable */
    int64_t containers, running, paused, stopped, images;
    const char *driver; /* "overlay" */
    struct strs security_options;
    const char *cgroup_driver, *cgroup_version, *cgroup_layout;
    const char *kernel_version, *operating_system, *os_version, *os_type, *architecture, *name;
    int64_t ncpu, mem_total;
    const char *root, *run_root;
    const char *system_time;
    const char *logging_driver;
    const char *server_version;
    const char *default_runtime, *init_binary;
    const char *isolation;
    bool rootless, memory_limit, swap_limit, cpu_cfs_quota, cpu_shares, cpuset, pids_limit, oom_kill_disable, ipv4_forwarding;
    bool debug, experimental;
    const char *http_proxy, *https_proxy, *no_proxy;
    const char *index_server;
    struct strs warnings;
    struct map config; /* tare's keys and their values */
};
extern const struct json_table system_info_table;

/* config: what counts for this command (not NULL). */
int system_info(struct engine *engine, const struct config *config, struct arena *a, struct system_info *ret, struct error *e);

/* Docker's version answer, half by half. */
struct version_half {
    const char *version, *api_version, *min_api_version, *git_commit, *compiler, *os, *arch, *build_time, *kernel_version;
};
extern const struct json_table version_client_table, version_server_table;
void version_fill(struct arena *a, struct version_half *ret);
