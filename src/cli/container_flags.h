/* The options that run and create share, and how they become a create request. */
#pragma once

#include "cli/command.h"
#include "model/container.h"

struct container_flags {
    /* the process */
    struct strs env, env_file, labels, label_file, group_add, expose, volumes, mounts, tmpfs, volumes_from;
    const char *entrypoint, *user, *workdir, *hostname, *domainname, *name, *stop_signal;
    struct opt_i64 stop_timeout;
    bool tty, interactive, init, read_only, privileged, rm;
    struct strs attach;
    /* isolation */
    const char *pid, *ipc, *uts, *userns, *cgroupns, *cgroup_parent, *runtime, *rootfs;
    struct strs isolate, cap_add, cap_drop, security_opt, sysctl, device, device_cgroup_rule, secret, ulimit, annotation;
    struct opt_i64 shm_size;
    int64_t oom_score_adj;
    bool oom_kill_disable;
    /* resources */
    struct opt_i64 memory, memory_reservation, memory_swap, memory_swappiness, kernel_memory, cpus, pids_limit;
    int64_t cpu_shares, cpu_period, cpu_quota, cpu_rt_period, cpu_rt_runtime, blkio_weight;
    const char *cpuset_cpus, *cpuset_mems;
    struct strs device_read_bps, device_write_bps, device_read_iops, device_write_iops, blkio_weight_device;
    /* network */
    struct strs network, network_alias, dns, dns_option, dns_search, add_host, publish;
    const char *ip, *ip6, *mac_address;
    bool publish_all;
    /* life */
    const char *gpus;
    const char *restart, *log_driver, *health_cmd, *health_on_failure, *publish_mode, *cidfile, *pull, *platform, *volume_driver;
    struct strs log_opt;
    struct opt_i64 health_interval, health_timeout, health_start_period, health_start_interval;
    int64_t health_retries;
    bool no_healthcheck, quiet, content_trust;
};

extern const struct option container_flag_table[];

/* args: IMAGE [COMMAND…], or COMMAND… with --rootfs. Files (--env-file, --label-file, seccomp profiles) are read here. -EINVAL with
 * Docker's words. */
int container_flags_request(const struct container_flags *f, const struct strs *args, struct arena *a, struct create_request *ret,
                            struct error *e);

/* Parts that exec and update use too. */
/* The lines of the files, then what is given: "NAME=value" stays, "NAME" takes the value of tare's own environment or vanishes.
 * -EINVAL. */
int env_resolve(const struct strs *files, const struct strs *given, struct arena *a, struct strs *ret, struct error *e);
int restart_rule_parse(const char *text, struct arena *a, struct restart_rule *ret, struct error *e);
