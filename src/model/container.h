/* A container as its users know it: the Docker Engine API's create request (Config, HostConfig, NetworkingConfig) and, around it,
 * the record that tare keeps as containers/<id>/config.json. `run` and `create` fill the request from options, the API decodes it;
 * both then are the same. Names of members follow the API; json tables carry the API's spelling.
 *
 * Source: Docker Engine API, definitions ContainerConfig, HostConfig, NetworkingConfig, EndpointSettings. */
#pragma once

#include "base/json.h"
#include "model/image_spec.h"

#define CONTAINER_FORMAT_VERSION 1
#define CONTAINER_CONFIG_MAX     ((size_t)8 << 20) /* bytes of a config.json */

struct container_config {
    const char *hostname, *domainname;
    const char *user; /* "name|uid[:group|gid]"; NULL = the image's */
    bool attach_stdin, attach_stdout, attach_stderr;
    struct strs exposed_ports; /* "80/tcp" */
    bool tty, open_stdin, stdin_once;
    struct strs env; /* "NAME=value" */
    struct strs cmd;
    struct image_healthcheck *healthcheck; /* NULL = the image's */
    bool args_escaped;
    const char *image; /* as the user wrote it */
    struct strs volumes;
    const char *working_dir;
    struct strs entrypoint;
    bool network_disabled;
    const char *mac_address;
    struct map labels;
    const char *stop_signal;
    struct opt_i64 stop_timeout; /* seconds */
    struct strs shell;
};

struct port_binding {
    const char *host_ip;   /* "" = any */
    const char *host_port; /* "8080", "8080-8090", "" = chosen */
};

struct restart_rule {
    const char *name; /* "", "no", "always", "unless-stopped", "on-failure", "on-unhealthy" */
    int32_t maximum_retry_count;
};
/* Whether the policy exists and its count goes with it. auto_remove: of the container, which then can have none. -EINVAL. */
int restart_rule_check(const struct restart_rule *r, bool auto_remove, struct error *e);

struct log_config {
    const char *type; /* "" = the default driver */
    struct map config;
};

struct device_mapping {
    const char *path_on_host, *path_in_container, *cgroup_permissions;
};

struct device_request { /* driver "cdi": the names are those of CDI; else GPUs of a vendor (model/gpu.h) */
    const char *driver;
    int32_t count; /* -1 = all */
    struct strs device_ids;
    const char *capabilities; /* JSON: lists of lists of words */
    struct map options;
};

struct secret_request { /* tare: --secret (model/secret.h) */
    const char *source; /* the secret's name */
    const char *type;   /* mount, env */
    const char *target; /* absolute path, or the variable's name */
    uint32_t uid, gid, mode;
};

struct weight_device {
    const char *path;
    uint32_t weight;
};

struct throttle_device {
    const char *path;
    uint64_t rate;
};

struct ulimit {
    const char *name; /* "nofile" */
    int64_t soft, hard;
};

struct bind_options {
    const char *propagation;
    bool non_recursive, create_mountpoint, read_only_non_recursive, read_only_force_recursive;
};
struct volume_driver_config {
    const char *name;
    struct map options;
};
struct volume_options {
    bool no_copy;
    struct map labels;
    struct volume_driver_config *driver_config;
    const char *subpath;
};
struct tmpfs_options {
    int64_t size_bytes;
    uint32_t mode;
};
struct image_mount_options {
    const char *subpath;
};

struct mount_request { /* HostConfig.Mounts: what --mount asks for */
    const char *type;  /* bind, volume, tmpfs, image */
    const char *source, *target;
    bool read_only;
    const char *consistency;
    struct bind_options *bind;
    struct volume_options *volume;
    struct tmpfs_options *tmpfs;
    struct image_mount_options *image;
    bool chown; /* tare: U: give the source to the container's user */
    bool idmap; /* tare: map the owners by the container's user namespace */
};

struct host_config {
    struct strs binds;
    const char *container_id_file;
    struct log_config log;
    const char *network_mode;  /* model/network_mode.h */
    struct list port_bindings; /* struct json_objs of struct port_binding */
    struct restart_rule restart;
    bool auto_remove;
    const char *volume_driver;
    struct strs volumes_from;
    struct list mounts; /* struct mount_request */
    struct map annotations;
    struct strs cap_add, cap_drop;
    const char *cgroupns_mode; /* host, private, "" */
    struct strs dns, dns_options, dns_search;
    struct strs extra_hosts; /* "name:address" */
    struct strs group_add;
    const char *ipc_mode; /* private, shareable, host, none, container:X, "" */
    struct strs links;
    int32_t oom_score_adj;
    const char *pid_mode; /* "", host, container:X */
    bool privileged, publish_all_ports, readonly_rootfs;
    struct strs security_opt;
    struct map storage_opt;
    struct map tmpfs; /* path -> options */
    const char *uts_mode, *userns_mode;
    int64_t shm_size; /* bytes; 0 = the default */
    struct map sysctls;
    const char *runtime;

    /* resources */
    int64_t cpu_shares, memory, nano_cpus;
    const char *cgroup_parent;
    uint32_t blkio_weight;
    struct list blkio_weight_device;                                                /* struct weight_device */
    struct list blkio_read_bps, blkio_write_bps, blkio_read_iops, blkio_write_iops; /* struct throttle_device */
    int64_t cpu_period, cpu_quota, cpu_realtime_period, cpu_realtime_runtime;       /* microseconds */
    const char *cpuset_cpus, *cpuset_mems;
    struct list devices; /* struct device_mapping */
    struct strs device_cgroup_rules;
    struct list device_requests; /* struct device_request */
    int64_t memory_reservation, memory_swap;
    struct opt_i64 memory_swappiness;
    struct opt_bool oom_kill_disable;
    struct opt_i64 pids_limit;
    struct list ulimits; /* struct ulimit */
    struct opt_bool init;

    struct strs masked_paths, readonly_paths; /* what the API asked for; empty = the defaults */

    /* tare's own */
    const char *rootfs;            /* --rootfs DIR: no image */
    bool rootfs_writable;          /* DIR:rw: changes go into DIR itself */
    struct strs isolate;           /* --isolate: only these namespaces; empty = all */
    const char *health_on_failure; /* none, kill, restart, stop */
    const char *publish_mode;      /* nat, input (model/port.h); NULL = as the network or the configuration says */
    struct list secrets;           /* struct secret_request */
    bool left_networks;            /* it has left the network it was made with (mode is none): it may join another */
};

struct endpoint_ipam {
    const char *ipv4, *ipv6;
    struct strs link_local;
};
struct endpoint_settings { /* one network that the container is to be on */
    const char *key;       /* the network's name */
    struct endpoint_ipam *ipam;
    struct strs links, aliases;
    const char *mac_address;
    int64_t gw_priority;
    struct map driver_opts;
    /* filled while it runs */
    const char *network_id, *endpoint_id, *gateway, *ip_address, *ipv6_gateway, *global_ipv6_address;
    int64_t ip_prefix_len, global_ipv6_prefix_len;
    struct strs dns_names;
};
struct networking_config {
    struct list endpoints; /* struct endpoint_settings, in the order asked for */
};

/* POST /containers/create. The name comes beside it. */
struct create_request {
    struct container_config config;
    struct host_config host;
    struct networking_config networking;
};

/* One mount as inspect shows it, and as start carries it out: chosen once, at create. */
struct mount_point {
    const char *type; /* bind, volume, tmpfs, image */
    const char *name; /* of the volume */
    const char *source, *destination;
    const char *driver;
    const char *mode; /* "z,ro" as written */
    bool rw;
    const char *propagation;
    bool anonymous;               /* a volume of this container alone */
    bool no_copy;                 /* do not fill from the image */
    bool non_recursive;           /* bind */
    bool read_only_non_recursive; /* read-only for the top mount only */
    bool read_only_recursive;     /* forced, refused where the kernel cannot */
    bool create_source;
    bool chown, idmap, overlay; /* U, idmap, O */
    const char *subpath;
    const char *options; /* tmpfs */
    const char *image;   /* its id */
    struct strs layers;  /* of the image, absolute paths, TOP FIRST */
};

/* A default that the host refused, and what became of it. */
struct adjustment {
    const char *what, *asked, *got;
};

/* containers/<id>/config.json */
struct container_record {
    uint32_t format;
    const char *id, *name;
    const char *created; /* RFC 3339 */
    const char *path;    /* what is executed: entrypoint and command together */
    struct strs args;
    const char *image; /* id "sha256:…"; NULL with --rootfs */
    const char *image_name;
    struct strs layers; /* absolute paths, TOP FIRST */
    const char *platform;
    struct container_config config; /* merged with the image's */
    struct host_config host;
    struct networking_config networking;
    struct list mounts;      /* struct mount_point */
    struct list adjustments; /* struct adjustment */
    bool init;
    bool own_files; /* its root is a whole copy, not an overlay (engine/own_files.h) */
};

extern const struct json_table container_config_table, host_config_table, networking_config_table, create_request_table,
    container_record_table, mount_point_table, endpoint_settings_table, port_binding_table, restart_rule_table, log_config_table,
    adjustment_table;

/* Reads the text of a create request. -EBADMSG, -EINVAL. */
int create_request_decode(const char *text, size_t n, struct arena *a, struct create_request *ret, struct error *e);
/* What can be said without the host or the image: Docker's checks of ranges and of what excludes what. -EINVAL with Docker's words.
 */
int create_request_check(const struct create_request *r, struct error *e);
/* Takes over from the image what the request leaves open: environment, command, user, volumes, labels, stop signal, health check…
 * Then path and args of the record are chosen. -EINVAL "no command specified". */
int container_config_merge(struct container_config *c, const struct image_defaults *image, struct arena *a, struct error *e);

/* Kinds of a namespace mode: "", "host", "private", "none", "container:X"; NULL is "". ret_target: X. */
bool mode_is(const char *mode, const char *what);
const char *mode_container(const char *mode); /* X of "container:X", else NULL */
