/* The OCI runtime specification's config.json for Linux, whole, as C structs with field tables. Names follow the specification
 * (config.md, config-linux.md); what it lets be absent is NULL, an empty list, `set == false` or the zero value.
 *
 * oci_spec_decode() accepts exactly what config-schema.json accepts: unknown fields are ignored, enumerations and patterns are
 * checked, the message names the path of the bad field. Whether the host can do what a document asks is not looked at here. */
#pragma once

#include "base/json.h"

#define OCI_VERSION    "1.3.0"            /* what is written into documents made here */
#define OCI_CONFIG_MAX ((size_t)16 << 20) /* bytes of a config.json that is read at all */

/* The words that are known at a place of a document, NULL behind the last. */
enum oci_word_kind {
    OCI_WORDS_NAMESPACE,
    OCI_WORDS_SECCOMP_ARCH,
    OCI_WORDS_SECCOMP_ACTION,
    OCI_WORDS_SECCOMP_FLAG,
    OCI_WORDS_SECCOMP_OPERATOR,
    OCI_WORDS_MEMORY_POLICY_MODE,
    OCI_WORDS_MEMORY_POLICY_FLAG,
    OCI_WORD_KINDS,
};
extern const char *const *const oci_words[OCI_WORD_KINDS];

struct oci_root {
    const char *path;
    bool readonly;
};

struct oci_id_mapping {
    uint32_t container_id;
    uint32_t host_id;
    uint32_t size;
};

struct oci_mount {
    const char *destination;
    const char *type;
    const char *source;
    struct strs options;
    struct list uid_mappings; /* struct oci_id_mapping */
    struct list gid_mappings;
    /* The engine's own wishes of a bind, not in the specification and never in JSON. */
    const char *subpath;      /* below source, which others may be changing; NULL = all of it */
    struct strs lowers;       /* an overlay of these, TOP FIRST, in place of source; */
    const char *upper, *work; /* changes go here; NULL = read-only */
};

struct oci_console_size {
    uint64_t height;
    uint64_t width;
};

struct oci_user {
    uint32_t uid;
    uint32_t gid;
    struct opt_i64 umask;
    struct list additional_gids; /* uint32_t */
    const char *username;
};

struct oci_capabilities {
    struct strs bounding;
    struct strs permitted;
    struct strs effective;
    struct strs inheritable;
    struct strs ambient;
};

struct oci_rlimit {
    const char *type; /* "RLIMIT_NOFILE" */
    uint64_t soft;
    uint64_t hard;
};

struct oci_io_priority {
    const char *class;
    int32_t priority;
};

struct oci_scheduler {
    const char *policy;
    int32_t nice;
    int32_t priority;
    struct strs flags;
    uint64_t runtime;
    uint64_t deadline;
    uint64_t period;
};

struct oci_cpu_affinity {
    const char *initial;
    const char *final;
};

struct oci_process {
    bool terminal;
    struct oci_console_size *console_size;
    struct oci_user user;
    struct strs args;
    const char *command_line; /* Windows only */
    struct strs env;
    const char *cwd;
    struct oci_capabilities *capabilities;
    struct list rlimits; /* struct oci_rlimit */
    bool no_new_privileges;
    const char *apparmor_profile;
    struct opt_i64 oom_score_adj;
    const char *selinux_label;
    struct oci_io_priority *io_priority;
    struct oci_scheduler *scheduler;
    struct oci_cpu_affinity *exec_cpu_affinity;
};

struct oci_hook {
    const char *path;
    struct strs args;
    struct strs env;
    struct opt_i64 timeout; /* seconds, >= 1 */
};

struct oci_hooks {
    struct list prestart; /* struct oci_hook, all of them */
    struct list create_runtime;
    struct list create_container;
    struct list start_container;
    struct list poststart;
    struct list poststop;
};

struct oci_namespace {
    const char *type; /* mount pid network uts ipc user cgroup time */
    const char *path; /* NULL = a new one */
};

struct oci_device {
    const char *path;
    const char *host_path; /* the engine's own, never in JSON: where it is bound from if it cannot be made; NULL = path */
    const char *type;      /* c b u p */
    int64_t major;
    int64_t minor;
    struct opt_i64 file_mode;
    struct opt_i64 uid;
    struct opt_i64 gid;
};

struct oci_net_device {
    const char *key;  /* name of the host's interface */
    const char *name; /* its name inside; NULL = the same */
};

struct oci_device_rule {
    bool allow;
    const char *type; /* a c b; NULL = a */
    struct opt_i64 major;
    struct opt_i64 minor;
    const char *access; /* of "rwm"; NULL = all */
};

struct oci_memory {
    struct opt_i64 limit; /* bytes; -1 = unlimited */
    struct opt_i64 reservation;
    struct opt_i64 swap; /* memory plus swap */
    struct opt_i64 kernel;
    struct opt_i64 kernel_tcp;
    struct opt_u64 swappiness;
    struct opt_bool disable_oom_killer;
    struct opt_bool use_hierarchy;
    struct opt_bool check_before_update;
};

struct oci_cpu {
    struct opt_u64 shares;
    struct opt_i64 quota; /* µs */
    struct opt_u64 burst;
    struct opt_u64 period;
    struct opt_i64 realtime_runtime;
    struct opt_u64 realtime_period;
    const char *cpus;
    const char *mems;
    struct opt_i64 idle;
};

struct oci_pids {
    struct opt_i64 limit;
};

struct oci_weight_device {
    int64_t major;
    int64_t minor;
    struct opt_u64 weight;
    struct opt_u64 leaf_weight;
};

struct oci_throttle_device {
    int64_t major;
    int64_t minor;
    uint64_t rate;
};

struct oci_block_io {
    struct opt_u64 weight;
    struct opt_u64 leaf_weight;
    struct list weight_device;            /* struct oci_weight_device */
    struct list throttle_read_bps_device; /* struct oci_throttle_device */
    struct list throttle_write_bps_device;
    struct list throttle_read_iops_device;
    struct list throttle_write_iops_device;
};

struct oci_hugepage_limit {
    const char *page_size; /* "2MB" */
    uint64_t limit;
};

struct oci_interface_priority {
    const char *name;
    uint32_t priority;
};

struct oci_network_limits {
    struct opt_u64 class_id;
    struct list priorities; /* struct oci_interface_priority */
};

struct oci_rdma {
    const char *key; /* device */
    struct opt_u64 hca_handles;
    struct opt_u64 hca_objects;
};

struct oci_resources {
    struct map unified;  /* cgroup v2 file -> value */
    struct list devices; /* struct oci_device_rule, in order */
    struct oci_memory *memory;
    struct oci_cpu *cpu;
    struct oci_pids *pids;
    struct oci_block_io *block_io;
    struct list hugepage_limits; /* struct oci_hugepage_limit */
    struct oci_network_limits *network;
    struct list rdma; /* struct oci_rdma */
};

struct oci_seccomp_arg {
    uint32_t index;
    uint64_t value;
    uint64_t value_two;
    const char *op;
};

struct oci_seccomp_syscall {
    struct strs names;
    const char *action;
    struct opt_u64 errno_ret;
    struct list args; /* struct oci_seccomp_arg */
};

struct oci_seccomp {
    const char *default_action;
    struct opt_u64 default_errno_ret;
    struct strs architectures;
    struct strs flags;
    const char *listener_path;
    const char *listener_metadata;
    struct list syscalls; /* struct oci_seccomp_syscall */
};

struct oci_intel_rdt {
    const char *clos_id;
    struct strs schemata;
    const char *l3_cache_schema;
    const char *mem_bw_schema;
    bool enable_monitoring;
};

struct oci_memory_policy {
    const char *mode;
    const char *nodes;
    struct strs flags;
};

struct oci_personality {
    const char *domain;
    struct strs flags;
};

struct oci_time_offset {
    const char *key; /* "boottime", "monotonic" */
    int64_t secs;
    uint32_t nanosecs;
};

struct oci_linux {
    struct list devices;      /* struct oci_device */
    struct list net_devices;  /* struct oci_net_device */
    struct list uid_mappings; /* struct oci_id_mapping */
    struct list gid_mappings;
    struct list namespaces; /* struct oci_namespace */
    struct oci_resources *resources;
    const char *cgroups_path;
    const char *rootfs_propagation;
    struct oci_seccomp *seccomp;
    struct map sysctl;
    struct strs masked_paths;
    struct strs readonly_paths;
    const char *mount_label;
    struct oci_intel_rdt *intel_rdt;
    struct oci_memory_policy *memory_policy;
    struct oci_personality *personality;
    struct list time_offsets; /* struct oci_time_offset */
};

struct oci_spec {
    const char *oci_version;
    struct oci_root *root;
    struct oci_process *process;
    const char *hostname;
    const char *domainname;
    struct list mounts; /* struct oci_mount */
    struct oci_hooks *hooks;
    struct map annotations;
    struct oci_linux *linux_; /* "linux" is a macro of gnu17 */
};

extern const struct json_table oci_spec_table;
extern const struct json_table oci_process_table;   /* a process.json, as `exec --process` takes */
extern const struct json_table oci_resources_table; /* as `update --resources` takes */
extern const struct json_table oci_seccomp_table;

/* -EBADMSG: not JSON. -EINVAL: not what the schema allows. */
int oci_spec_decode(const char *text, size_t n, struct arena *a, struct oci_spec *ret, struct error *e);

/* The namespace of a type that the document asks for; NULL: the host's is kept. */
/* CLONE_NEW… of a type; 0: there is none such. */
unsigned oci_namespace_flag(const char *type);
const struct oci_namespace *oci_spec_namespace(const struct oci_spec *spec, const char *type);
