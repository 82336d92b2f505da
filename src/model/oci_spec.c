#include "model/oci_spec.h"

#include <sched.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Checks: enumerations and patterns of config-schema.json ---- */

static int check_enum(const char *value, const char *const *allowed, struct error *e) {
    if (!value)
        return 0;
    for (size_t i = 0; allowed[i]; i++)
        if (strcmp(value, allowed[i]) == 0)
            return 0;
    return error_set(e, -EINVAL, "\"%s\" is not one of those that the specification knows", value);
}

/* One check of a string, and one of a list of strings, for an enumeration. */
#define ENUM(name, ...)                                                                                                            \
    static const char *const name##_values[] = {__VA_ARGS__, NULL};                                                                \
    _unused_ static int check_##name(const void *value, struct error *e) {                                                         \
        return check_enum(*(const char *const *)value, name##_values, e);                                                          \
    }                                                                                                                              \
    _unused_ static int check_##name##_list(const void *value, struct error *e) {                                                  \
        const struct strs *s = value;                                                                                              \
                                                                                                                                   \
        for (size_t i = 0; i < s->n; i++) {                                                                                        \
            int r = check_enum(s->v[i], name##_values, e);                                                                         \
            if (r < 0)                                                                                                             \
                return r;                                                                                                          \
        }                                                                                                                          \
        return 0;                                                                                                                  \
    }

ENUM(io_class, "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE")
ENUM(scheduler_policy, "SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE")
ENUM(scheduler_flag, "SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_KEEP_POLICY",
     "SCHED_FLAG_KEEP_PARAMS", "SCHED_FLAG_UTIL_CLAMP_MIN", "SCHED_FLAG_UTIL_CLAMP_MAX")
ENUM(namespace_type, "mount", "pid", "network", "uts", "ipc", "user", "cgroup", "time")
ENUM(device_type, "c", "b", "u", "p")
/* The second four are no words of the specification's, but of its callers': Docker and containerd write them. */
ENUM(propagation, "private", "shared", "slave", "unbindable", "rprivate", "rshared", "rslave", "runbindable")
ENUM(seccomp_arch, "SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64",
     "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL",
     "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390",
     "SCMP_ARCH_S390X", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB", "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64")
ENUM(seccomp_action, "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP", "SCMP_ACT_ERRNO",
     "SCMP_ACT_TRACE", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY")
ENUM(seccomp_flag, "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
     "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV")
ENUM(seccomp_operator, "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT",
     "SCMP_CMP_MASKED_EQ")
ENUM(memory_policy_mode, "MPOL_DEFAULT", "MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_WEIGHTED_INTERLEAVE", "MPOL_PREFERRED",
     "MPOL_PREFERRED_MANY", "MPOL_LOCAL")
ENUM(memory_policy_flag, "MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES")
ENUM(personality_domain, "LINUX", "LINUX32")
ENUM(clock_name, "boottime", "monotonic")

const char *const *const oci_words[OCI_WORD_KINDS] = {
    [OCI_WORDS_NAMESPACE] = namespace_type_values,
    [OCI_WORDS_SECCOMP_ARCH] = seccomp_arch_values,
    [OCI_WORDS_SECCOMP_ACTION] = seccomp_action_values,
    [OCI_WORDS_SECCOMP_FLAG] = seccomp_flag_values,
    [OCI_WORDS_SECCOMP_OPERATOR] = seccomp_operator_values,
    [OCI_WORDS_MEMORY_POLICY_MODE] = memory_policy_mode_values,
    [OCI_WORDS_MEMORY_POLICY_FLAG] = memory_policy_flag_values,
};

/* ^RLIMIT_[A-Z]+$ */
static int check_rlimit_type(const void *value, struct error *e) {
    const char *s = *(const char *const *)value;

    if (!s)
        return 0;
    if (strncmp(s, "RLIMIT_", 7) == 0 && s[7] && s[7 + strspn(s + 7, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0')
        return 0;
    return error_set(e, -EINVAL, "\"%s\" is not of the form RLIMIT_NAME", s);
}

/* ^[0-9, -]*$ */
static int check_cpu_list(const void *value, struct error *e) {
    const char *s = *(const char *const *)value;

    if (!s || s[strspn(s, "0123456789, -")] == '\0')
        return 0;
    return error_set(e, -EINVAL, "\"%s\" is not a list of CPUs such as 0-3,7", s);
}

/* ^[1-9][0-9]*[KMG]B$ */
static int check_page_size(const void *value, struct error *e) {
    const char *s = *(const char *const *)value;
    size_t digits = s ? strspn(s, "0123456789") : 0;

    if (!s)
        return 0;
    if (digits > 0 && s[0] != '0' && s[digits] && strchr("KMG", s[digits]) && strcmp(s + digits + 1, "B") == 0)
        return 0;
    return error_set(e, -EINVAL, "\"%s\" is not a page size such as 2MB", s);
}

/* ^MB:[^\n]*$ */
static int check_mem_bw(const void *value, struct error *e) {
    const char *s = *(const char *const *)value;

    if (!s || (strncmp(s, "MB:", 3) == 0 && !strchr(s, '\n')))
        return 0;
    return error_set(e, -EINVAL, "must begin with \"MB:\" and be one line");
}

static int check_range(const void *value, int64_t min, int64_t max, struct error *e) {
    const struct opt_i64 *v = value;

    if (!v->set || (v->value >= min && v->value <= max))
        return 0;
    return error_set(e, -EINVAL, "%lld is not between %lld and %lld", (long long)v->value, (long long)min, (long long)max);
}

static int check_u32(const void *value, struct error *e) {
    return check_range(value, 0, UINT32_MAX, e);
}

/* Podman gives what stat(2) says of the host's device, with the type. */
static int check_file_mode(const void *value, struct error *e) {
    struct opt_i64 mode = *(const struct opt_i64 *)value;

    if (mode.value > 0 && mode.value <= UINT16_MAX && mode.value & S_IFMT)
        mode.value &= ~(int64_t)S_IFMT;
    return check_range(&mode, 0, 0777, e);
}

static int check_timeout(const void *value, struct error *e) {
    return check_range(value, 1, INT64_MAX, e);
}

static int check_oom_score(const void *value, struct error *e) {
    return check_range(value, -1000, 1000, e);
}

static int check_unsigned(const void *value, uint64_t max, struct error *e) {
    const struct opt_u64 *v = value;

    if (!v->set || v->value <= max)
        return 0;
    return error_set(e, -EINVAL, "%llu is greater than %llu", (unsigned long long)v->value, (unsigned long long)max);
}

static int check_weight(const void *value, struct error *e) {
    return check_unsigned(value, UINT16_MAX, e);
}

static int check_unsigned_u32(const void *value, struct error *e) {
    return check_unsigned(value, UINT32_MAX, e);
}

static int check_not_empty(const void *value, struct error *e) {
    const struct strs *s = value;

    return s->n > 0 ? 0 : error_set(e, -EINVAL, "must not be empty");
}

/* ---- Tables ---- */

#define F(type, member, name, kind, flags)              JSON_FIELD(struct type, member, name, kind, flags)
#define F_OF(type, member, name, kind, flags, table)    JSON_FIELD_OF(struct type, member, name, kind, flags, &table)
#define F_CHECK(type, member, name, kind, flags, check) JSON_FIELD_CHECK(struct type, member, name, kind, flags, check)
#define TABLE(type, name)                               static const struct json_table type##_table = JSON_TABLE(name, struct type, type##_fields)
#define TABLE_EXPORTED(type, name)                      const struct json_table type##_table = JSON_TABLE(name, struct type, type##_fields)
#define REQ                                             JSON_REQUIRED
#define OMIT                                            JSON_OMIT

static const struct json_field oci_root_fields[] = {
    F(oci_root, path, "path", JSON_STR, REQ),
    F(oci_root, readonly, "readonly", JSON_BOOL, OMIT),
    JSON_END,
};
TABLE(oci_root, "root");

static const struct json_field oci_id_mapping_fields[] = {
    F(oci_id_mapping, container_id, "containerID", JSON_U32, REQ),
    F(oci_id_mapping, host_id, "hostID", JSON_U32, REQ),
    F(oci_id_mapping, size, "size", JSON_U32, REQ),
    JSON_END,
};
TABLE(oci_id_mapping, "id mapping");

static const struct json_field oci_mount_fields[] = {
    F(oci_mount, destination, "destination", JSON_STR, REQ),
    F(oci_mount, type, "type", JSON_STR, OMIT),
    F(oci_mount, source, "source", JSON_STR, OMIT),
    F(oci_mount, options, "options", JSON_STRS, OMIT),
    F_OF(oci_mount, uid_mappings, "uidMappings", JSON_OBJS, OMIT, oci_id_mapping_table),
    F_OF(oci_mount, gid_mappings, "gidMappings", JSON_OBJS, OMIT, oci_id_mapping_table),
    JSON_END,
};
TABLE(oci_mount, "mount");

static const struct json_field oci_console_size_fields[] = {
    F(oci_console_size, height, "height", JSON_U64, REQ),
    F(oci_console_size, width, "width", JSON_U64, REQ),
    JSON_END,
};
TABLE(oci_console_size, "console size");

static const struct json_field oci_user_fields[] = {
    F(oci_user, uid, "uid", JSON_U32, 0),
    F(oci_user, gid, "gid", JSON_U32, 0),
    F_CHECK(oci_user, umask, "umask", JSON_OPT_I64, OMIT, check_u32),
    F(oci_user, additional_gids, "additionalGids", JSON_U32S, OMIT),
    F(oci_user, username, "username", JSON_STR, OMIT),
    JSON_END,
};
TABLE(oci_user, "user");

static const struct json_field oci_capabilities_fields[] = {
    F(oci_capabilities, bounding, "bounding", JSON_STRS, OMIT),   F(oci_capabilities, permitted, "permitted", JSON_STRS, OMIT),
    F(oci_capabilities, effective, "effective", JSON_STRS, OMIT), F(oci_capabilities, inheritable, "inheritable", JSON_STRS, OMIT),
    F(oci_capabilities, ambient, "ambient", JSON_STRS, OMIT),     JSON_END,
};
TABLE(oci_capabilities, "capabilities");

static const struct json_field oci_rlimit_fields[] = {
    F_CHECK(oci_rlimit, type, "type", JSON_STR, REQ, check_rlimit_type),
    F(oci_rlimit, soft, "soft", JSON_U64, REQ),
    F(oci_rlimit, hard, "hard", JSON_U64, REQ),
    JSON_END,
};
TABLE(oci_rlimit, "rlimit");

static const struct json_field oci_io_priority_fields[] = {
    F_CHECK(oci_io_priority, class, "class", JSON_STR, REQ, check_io_class),
    F(oci_io_priority, priority, "priority", JSON_I32, OMIT),
    JSON_END,
};
TABLE(oci_io_priority, "ioPriority");

static const struct json_field oci_scheduler_fields[] = {
    F_CHECK(oci_scheduler, policy, "policy", JSON_STR, REQ, check_scheduler_policy),
    F(oci_scheduler, nice, "nice", JSON_I32, OMIT),
    F(oci_scheduler, priority, "priority", JSON_I32, OMIT),
    F_CHECK(oci_scheduler, flags, "flags", JSON_STRS, OMIT, check_scheduler_flag_list),
    F(oci_scheduler, runtime, "runtime", JSON_U64, OMIT),
    F(oci_scheduler, deadline, "deadline", JSON_U64, OMIT),
    F(oci_scheduler, period, "period", JSON_U64, OMIT),
    JSON_END,
};
TABLE(oci_scheduler, "scheduler");

static const struct json_field oci_cpu_affinity_fields[] = {
    F_CHECK(oci_cpu_affinity, initial, "initial", JSON_STR, OMIT, check_cpu_list),
    F_CHECK(oci_cpu_affinity, final, "final", JSON_STR, OMIT, check_cpu_list),
    JSON_END,
};
TABLE(oci_cpu_affinity, "execCPUAffinity");

static const struct json_field oci_process_fields[] = {
    F(oci_process, terminal, "terminal", JSON_BOOL, OMIT),
    F_OF(oci_process, console_size, "consoleSize", JSON_OBJ_PTR, OMIT, oci_console_size_table),
    F_OF(oci_process, user, "user", JSON_OBJ, 0, oci_user_table),
    F(oci_process, args, "args", JSON_STRS, OMIT),
    F(oci_process, command_line, "commandLine", JSON_STR, OMIT),
    F(oci_process, env, "env", JSON_STRS, OMIT),
    F(oci_process, cwd, "cwd", JSON_STR, REQ),
    F_OF(oci_process, capabilities, "capabilities", JSON_OBJ_PTR, OMIT, oci_capabilities_table),
    F_OF(oci_process, rlimits, "rlimits", JSON_OBJS, OMIT, oci_rlimit_table),
    F(oci_process, no_new_privileges, "noNewPrivileges", JSON_BOOL, OMIT),
    F(oci_process, apparmor_profile, "apparmorProfile", JSON_STR, OMIT),
    F_CHECK(oci_process, oom_score_adj, "oomScoreAdj", JSON_OPT_I64, OMIT, check_oom_score),
    F(oci_process, selinux_label, "selinuxLabel", JSON_STR, OMIT),
    F_OF(oci_process, io_priority, "ioPriority", JSON_OBJ_PTR, OMIT, oci_io_priority_table),
    F_OF(oci_process, scheduler, "scheduler", JSON_OBJ_PTR, OMIT, oci_scheduler_table),
    F_OF(oci_process, exec_cpu_affinity, "execCPUAffinity", JSON_OBJ_PTR, OMIT, oci_cpu_affinity_table),
    JSON_END,
};
TABLE_EXPORTED(oci_process, "process");

static const struct json_field oci_hook_fields[] = {
    F(oci_hook, path, "path", JSON_STR, REQ),
    F(oci_hook, args, "args", JSON_STRS, OMIT),
    F(oci_hook, env, "env", JSON_STRS, OMIT),
    F_CHECK(oci_hook, timeout, "timeout", JSON_OPT_I64, OMIT, check_timeout),
    JSON_END,
};
TABLE(oci_hook, "hook");

static const struct json_field oci_hooks_fields[] = {
    F_OF(oci_hooks, prestart, "prestart", JSON_OBJS, OMIT, oci_hook_table),
    F_OF(oci_hooks, create_runtime, "createRuntime", JSON_OBJS, OMIT, oci_hook_table),
    F_OF(oci_hooks, create_container, "createContainer", JSON_OBJS, OMIT, oci_hook_table),
    F_OF(oci_hooks, start_container, "startContainer", JSON_OBJS, OMIT, oci_hook_table),
    F_OF(oci_hooks, poststart, "poststart", JSON_OBJS, OMIT, oci_hook_table),
    F_OF(oci_hooks, poststop, "poststop", JSON_OBJS, OMIT, oci_hook_table),
    JSON_END,
};
TABLE(oci_hooks, "hooks");

static const struct json_field oci_namespace_fields[] = {
    F_CHECK(oci_namespace, type, "type", JSON_STR, REQ, check_namespace_type),
    F(oci_namespace, path, "path", JSON_STR, OMIT),
    JSON_END,
};
TABLE(oci_namespace, "namespace");

static const struct json_field oci_device_fields[] = {
    F(oci_device, path, "path", JSON_STR, REQ),
    F_CHECK(oci_device, type, "type", JSON_STR, REQ, check_device_type),
    F(oci_device, major, "major", JSON_I64, OMIT),
    F(oci_device, minor, "minor", JSON_I64, OMIT),
    F_CHECK(oci_device, file_mode, "fileMode", JSON_OPT_I64, OMIT, check_file_mode),
    F_CHECK(oci_device, uid, "uid", JSON_OPT_I64, OMIT, check_u32),
    F_CHECK(oci_device, gid, "gid", JSON_OPT_I64, OMIT, check_u32),
    JSON_END,
};
TABLE(oci_device, "device");

static const struct json_field oci_net_device_fields[] = {
    F(oci_net_device, name, "name", JSON_STR, OMIT),
    JSON_END,
};
TABLE(oci_net_device, "network device");

static const struct json_field oci_device_rule_fields[] = {
    F(oci_device_rule, allow, "allow", JSON_BOOL, REQ),     F(oci_device_rule, type, "type", JSON_STR, OMIT),
    F(oci_device_rule, major, "major", JSON_OPT_I64, OMIT), F(oci_device_rule, minor, "minor", JSON_OPT_I64, OMIT),
    F(oci_device_rule, access, "access", JSON_STR, OMIT),   JSON_END,
};
TABLE(oci_device_rule, "device rule");

static const struct json_field oci_memory_fields[] = {
    F(oci_memory, limit, "limit", JSON_OPT_I64, OMIT),
    F(oci_memory, reservation, "reservation", JSON_OPT_I64, OMIT),
    F(oci_memory, swap, "swap", JSON_OPT_I64, OMIT),
    F(oci_memory, kernel, "kernel", JSON_OPT_I64, OMIT),
    F(oci_memory, kernel_tcp, "kernelTCP", JSON_OPT_I64, OMIT),
    F(oci_memory, swappiness, "swappiness", JSON_OPT_U64, OMIT),
    F(oci_memory, disable_oom_killer, "disableOOMKiller", JSON_OPT_BOOL, OMIT),
    F(oci_memory, use_hierarchy, "useHierarchy", JSON_OPT_BOOL, OMIT),
    F(oci_memory, check_before_update, "checkBeforeUpdate", JSON_OPT_BOOL, OMIT),
    JSON_END,
};
TABLE(oci_memory, "memory");

static const struct json_field oci_cpu_fields[] = {
    F(oci_cpu, shares, "shares", JSON_OPT_U64, OMIT),
    F(oci_cpu, quota, "quota", JSON_OPT_I64, OMIT),
    F(oci_cpu, burst, "burst", JSON_OPT_U64, OMIT),
    F(oci_cpu, period, "period", JSON_OPT_U64, OMIT),
    F(oci_cpu, realtime_runtime, "realtimeRuntime", JSON_OPT_I64, OMIT),
    F(oci_cpu, realtime_period, "realtimePeriod", JSON_OPT_U64, OMIT),
    F(oci_cpu, cpus, "cpus", JSON_STR, OMIT),
    F(oci_cpu, mems, "mems", JSON_STR, OMIT),
    F(oci_cpu, idle, "idle", JSON_OPT_I64, OMIT),
    JSON_END,
};
TABLE(oci_cpu, "cpu");

static const struct json_field oci_pids_fields[] = {
    F(oci_pids, limit, "limit", JSON_OPT_I64, REQ),
    JSON_END,
};
TABLE(oci_pids, "pids");

static const struct json_field oci_weight_device_fields[] = {
    F(oci_weight_device, major, "major", JSON_I64, REQ),
    F(oci_weight_device, minor, "minor", JSON_I64, REQ),
    F_CHECK(oci_weight_device, weight, "weight", JSON_OPT_U64, OMIT, check_weight),
    F_CHECK(oci_weight_device, leaf_weight, "leafWeight", JSON_OPT_U64, OMIT, check_weight),
    JSON_END,
};
TABLE(oci_weight_device, "weightDevice");

static const struct json_field oci_throttle_device_fields[] = {
    F(oci_throttle_device, major, "major", JSON_I64, REQ),
    F(oci_throttle_device, minor, "minor", JSON_I64, REQ),
    F(oci_throttle_device, rate, "rate", JSON_U64, 0),
    JSON_END,
};
TABLE(oci_throttle_device, "throttleDevice");

static const struct json_field oci_block_io_fields[] = {
    F_CHECK(oci_block_io, weight, "weight", JSON_OPT_U64, OMIT, check_weight),
    F_CHECK(oci_block_io, leaf_weight, "leafWeight", JSON_OPT_U64, OMIT, check_weight),
    F_OF(oci_block_io, weight_device, "weightDevice", JSON_OBJS, OMIT, oci_weight_device_table),
    F_OF(oci_block_io, throttle_read_bps_device, "throttleReadBpsDevice", JSON_OBJS, OMIT, oci_throttle_device_table),
    F_OF(oci_block_io, throttle_write_bps_device, "throttleWriteBpsDevice", JSON_OBJS, OMIT, oci_throttle_device_table),
    F_OF(oci_block_io, throttle_read_iops_device, "throttleReadIOPSDevice", JSON_OBJS, OMIT, oci_throttle_device_table),
    F_OF(oci_block_io, throttle_write_iops_device, "throttleWriteIOPSDevice", JSON_OBJS, OMIT, oci_throttle_device_table),
    JSON_END,
};
TABLE(oci_block_io, "blockIO");

static const struct json_field oci_hugepage_limit_fields[] = {
    F_CHECK(oci_hugepage_limit, page_size, "pageSize", JSON_STR, REQ, check_page_size),
    F(oci_hugepage_limit, limit, "limit", JSON_U64, REQ),
    JSON_END,
};
TABLE(oci_hugepage_limit, "hugepageLimit");

static const struct json_field oci_interface_priority_fields[] = {
    F(oci_interface_priority, name, "name", JSON_STR, REQ),
    F(oci_interface_priority, priority, "priority", JSON_U32, REQ),
    JSON_END,
};
TABLE(oci_interface_priority, "interface priority");

static const struct json_field oci_network_limits_fields[] = {
    F_CHECK(oci_network_limits, class_id, "classID", JSON_OPT_U64, OMIT, check_unsigned_u32),
    F_OF(oci_network_limits, priorities, "priorities", JSON_OBJS, OMIT, oci_interface_priority_table),
    JSON_END,
};
TABLE(oci_network_limits, "network");

static const struct json_field oci_rdma_fields[] = {
    F_CHECK(oci_rdma, hca_handles, "hcaHandles", JSON_OPT_U64, OMIT, check_unsigned_u32),
    F_CHECK(oci_rdma, hca_objects, "hcaObjects", JSON_OPT_U64, OMIT, check_unsigned_u32),
    JSON_END,
};
TABLE(oci_rdma, "rdma");

static const struct json_field oci_resources_fields[] = {
    F(oci_resources, unified, "unified", JSON_MAP, OMIT),
    F_OF(oci_resources, devices, "devices", JSON_OBJS, OMIT, oci_device_rule_table),
    F_OF(oci_resources, memory, "memory", JSON_OBJ_PTR, OMIT, oci_memory_table),
    F_OF(oci_resources, cpu, "cpu", JSON_OBJ_PTR, OMIT, oci_cpu_table),
    F_OF(oci_resources, pids, "pids", JSON_OBJ_PTR, OMIT, oci_pids_table),
    F_OF(oci_resources, block_io, "blockIO", JSON_OBJ_PTR, OMIT, oci_block_io_table),
    F_OF(oci_resources, hugepage_limits, "hugepageLimits", JSON_OBJS, OMIT, oci_hugepage_limit_table),
    F_OF(oci_resources, network, "network", JSON_OBJ_PTR, OMIT, oci_network_limits_table),
    F_OF(oci_resources, rdma, "rdma", JSON_OBJ_MAP, OMIT, oci_rdma_table),
    JSON_END,
};
TABLE_EXPORTED(oci_resources, "resources");

static const struct json_field oci_seccomp_arg_fields[] = {
    F(oci_seccomp_arg, index, "index", JSON_U32, REQ),
    F(oci_seccomp_arg, value, "value", JSON_U64, REQ),
    F(oci_seccomp_arg, value_two, "valueTwo", JSON_U64, OMIT),
    F_CHECK(oci_seccomp_arg, op, "op", JSON_STR, REQ, check_seccomp_operator),
    JSON_END,
};
TABLE(oci_seccomp_arg, "seccomp argument");

static const struct json_field oci_seccomp_syscall_fields[] = {
    F_CHECK(oci_seccomp_syscall, names, "names", JSON_STRS, REQ, check_not_empty),
    F_CHECK(oci_seccomp_syscall, action, "action", JSON_STR, REQ, check_seccomp_action),
    F_CHECK(oci_seccomp_syscall, errno_ret, "errnoRet", JSON_OPT_U64, OMIT, check_unsigned_u32),
    F_OF(oci_seccomp_syscall, args, "args", JSON_OBJS, OMIT, oci_seccomp_arg_table),
    JSON_END,
};
TABLE(oci_seccomp_syscall, "seccomp rule");

static const struct json_field oci_seccomp_fields[] = {
    F_CHECK(oci_seccomp, default_action, "defaultAction", JSON_STR, REQ, check_seccomp_action),
    F_CHECK(oci_seccomp, default_errno_ret, "defaultErrnoRet", JSON_OPT_U64, OMIT, check_unsigned_u32),
    F_CHECK(oci_seccomp, architectures, "architectures", JSON_STRS, OMIT, check_seccomp_arch_list),
    F_CHECK(oci_seccomp, flags, "flags", JSON_STRS, OMIT, check_seccomp_flag_list),
    F(oci_seccomp, listener_path, "listenerPath", JSON_STR, OMIT),
    F(oci_seccomp, listener_metadata, "listenerMetadata", JSON_STR, OMIT),
    F_OF(oci_seccomp, syscalls, "syscalls", JSON_OBJS, OMIT, oci_seccomp_syscall_table),
    JSON_END,
};
TABLE_EXPORTED(oci_seccomp, "seccomp");

static const struct json_field oci_intel_rdt_fields[] = {
    F(oci_intel_rdt, clos_id, "closID", JSON_STR, OMIT),
    F(oci_intel_rdt, schemata, "schemata", JSON_STRS, OMIT),
    F(oci_intel_rdt, l3_cache_schema, "l3CacheSchema", JSON_STR, OMIT),
    F_CHECK(oci_intel_rdt, mem_bw_schema, "memBwSchema", JSON_STR, OMIT, check_mem_bw),
    F(oci_intel_rdt, enable_monitoring, "enableMonitoring", JSON_BOOL, OMIT),
    JSON_END,
};
TABLE(oci_intel_rdt, "intelRdt");

static const struct json_field oci_memory_policy_fields[] = {
    F_CHECK(oci_memory_policy, mode, "mode", JSON_STR, OMIT, check_memory_policy_mode),
    F(oci_memory_policy, nodes, "nodes", JSON_STR, OMIT),
    F_CHECK(oci_memory_policy, flags, "flags", JSON_STRS, OMIT, check_memory_policy_flag_list),
    JSON_END,
};
TABLE(oci_memory_policy, "memoryPolicy");

static const struct json_field oci_personality_fields[] = {
    F_CHECK(oci_personality, domain, "domain", JSON_STR, OMIT, check_personality_domain),
    F(oci_personality, flags, "flags", JSON_STRS, OMIT),
    JSON_END,
};
TABLE(oci_personality, "personality");

static const struct json_field oci_time_offset_fields[] = {
    F(oci_time_offset, secs, "secs", JSON_I64, OMIT),
    F(oci_time_offset, nanosecs, "nanosecs", JSON_U32, OMIT),
    JSON_END,
};
TABLE(oci_time_offset, "time offset");

static int check_clocks(const void *value, struct error *e) {
    const struct list *l = value;

    for (size_t i = 0; i < l->n; i++) {
        int r = check_clock_name(&LIST_AT(struct oci_time_offset, l, i)->key, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static const struct json_field oci_linux_fields[] = {
    F_OF(oci_linux, devices, "devices", JSON_OBJS, OMIT, oci_device_table),
    F_OF(oci_linux, net_devices, "netDevices", JSON_OBJ_MAP, OMIT, oci_net_device_table),
    F_OF(oci_linux, uid_mappings, "uidMappings", JSON_OBJS, OMIT, oci_id_mapping_table),
    F_OF(oci_linux, gid_mappings, "gidMappings", JSON_OBJS, OMIT, oci_id_mapping_table),
    F_OF(oci_linux, namespaces, "namespaces", JSON_OBJS, OMIT, oci_namespace_table),
    F_OF(oci_linux, resources, "resources", JSON_OBJ_PTR, OMIT, oci_resources_table),
    F(oci_linux, cgroups_path, "cgroupsPath", JSON_STR, OMIT),
    F_CHECK(oci_linux, rootfs_propagation, "rootfsPropagation", JSON_STR, OMIT, check_propagation),
    F_OF(oci_linux, seccomp, "seccomp", JSON_OBJ_PTR, OMIT, oci_seccomp_table),
    F(oci_linux, sysctl, "sysctl", JSON_MAP, OMIT),
    F(oci_linux, masked_paths, "maskedPaths", JSON_STRS, OMIT),
    F(oci_linux, readonly_paths, "readonlyPaths", JSON_STRS, OMIT),
    F(oci_linux, mount_label, "mountLabel", JSON_STR, OMIT),
    F_OF(oci_linux, intel_rdt, "intelRdt", JSON_OBJ_PTR, OMIT, oci_intel_rdt_table),
    F_OF(oci_linux, memory_policy, "memoryPolicy", JSON_OBJ_PTR, OMIT, oci_memory_policy_table),
    F_OF(oci_linux, personality, "personality", JSON_OBJ_PTR, OMIT, oci_personality_table),
    {.name = "timeOffsets",
     .kind = JSON_OBJ_MAP,
     .flags = OMIT,
     .offset = offsetof(struct oci_linux, time_offsets),
     .type = &oci_time_offset_table,
     .check = check_clocks},
    JSON_END,
};
TABLE(oci_linux, "linux");

static const struct json_field oci_spec_fields[] = {
    F(oci_spec, oci_version, "ociVersion", JSON_STR, REQ),
    F_OF(oci_spec, root, "root", JSON_OBJ_PTR, OMIT, oci_root_table),
    F_OF(oci_spec, process, "process", JSON_OBJ_PTR, OMIT, oci_process_table),
    F(oci_spec, hostname, "hostname", JSON_STR, OMIT),
    F(oci_spec, domainname, "domainname", JSON_STR, OMIT),
    F_OF(oci_spec, mounts, "mounts", JSON_OBJS, OMIT, oci_mount_table),
    F_OF(oci_spec, hooks, "hooks", JSON_OBJ_PTR, OMIT, oci_hooks_table),
    F(oci_spec, annotations, "annotations", JSON_MAP, OMIT),
    F_OF(oci_spec, linux_, "linux", JSON_OBJ_PTR, OMIT, oci_linux_table),
    JSON_END,
};
TABLE_EXPORTED(oci_spec, "config");

int oci_spec_decode(const char *text, size_t n, struct arena *a, struct oci_spec *ret, struct error *e) {
    if (n > OCI_CONFIG_MAX)
        return error_set(e, -EFBIG, "the configuration has %zu bytes, more than %zu", n, OCI_CONFIG_MAX);
    return json_decode(&oci_spec_table, text, n, a, ret, e);
}

unsigned oci_namespace_flag(const char *type) {
    static const struct {
        const char *type;
        unsigned flag;
    } types[] = {{"mount", CLONE_NEWNS}, {"pid", CLONE_NEWPID},   {"network", CLONE_NEWNET},   {"uts", CLONE_NEWUTS},
                 {"ipc", CLONE_NEWIPC},  {"user", CLONE_NEWUSER}, {"cgroup", CLONE_NEWCGROUP}, {"time", CLONE_NEWTIME}};

    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (strcmp(types[i].type, type) == 0)
            return types[i].flag;
    return 0;
}

const struct oci_namespace *oci_spec_namespace(const struct oci_spec *spec, const char *type) {
    const struct oci_linux *l = spec->linux_;

    for (size_t i = 0; l && i < l->namespaces.n; i++) {
        const struct oci_namespace *ns = LIST_AT(struct oci_namespace, &l->namespaces, i);

        if (strcmp(ns->type, type) == 0)
            return ns;
    }
    return NULL;
}
