/* What a container may do when nobody asked for more or less. Tables only: where each entry comes from, and why tare differs from
 * Docker where it does, stands beside it in the .c file and, for users, in docs/security.md.
 *
 * --privileged takes none of this; `--security-opt systempaths=unconfined` drops the two lists of paths. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "model/oci_spec.h"

/* Bit n = capability n: 11 capabilities, Docker's 14 without MKNOD, NET_RAW (ping works without: see security_sysctls) and
 * AUDIT_WRITE. */
extern const uint64_t security_capabilities;

/* Lists end with NULL. Paths that a host does not have are skipped by who applies them. */
extern const char *const security_masked_paths[];
extern const char *const security_readonly_paths[];
/* Masked once per processor where it exists (throttling tells what the neighbours do): printf with the processor's number. */
#define SECURITY_MASKED_CPU_PATH "/sys/devices/system/cpu/cpu%u/thermal_throttle"

/* The nodes of /dev beside the terminal's (console, ptmx, pts), mode 0666, root's. */
struct security_node {
    const char *path;
    uint32_t major;
    uint32_t minor;
};
extern const struct security_node security_nodes[];
extern const size_t security_node_count;
/* Deny everything, then allow the nodes and the terminals: struct oci_device_rule appended to rules. */
void security_device_rules(struct arena *a, struct list *rules);
/* Allow everything: --privileged. */
void security_device_rules_all(struct arena *a, struct list *rules);

/* Where the container has a network namespace of its own (and, for the ping range, no user namespace that maps fewer groups). */
#define SECURITY_PING_RANGE "net.ipv4.ping_group_range"
extern const struct pair security_sysctls[];
extern const size_t security_sysctl_count;

extern const struct oci_rlimit security_rlimits[];
extern const size_t security_rlimit_count;

#define SECURITY_PIDS_LIMIT     4096
#define SECURITY_SHM_SIZE_BYTES ((int64_t)64 << 20)
#define SECURITY_UMASK          0022

/* May `--sysctl key=value` be set in a container with these namespaces of its own? Only what the kernel keeps per namespace:
 * everything else would be the host's. -EINVAL: not the name or value of a sysctl; -EPERM: not the container's own. Both spellings,
 * net.ipv4.ip_forward and net/ipv4/ip_forward, are accepted. */
struct security_namespaces {
    bool net, ipc, uts;
};
int security_check_sysctl(const char *key, const char *value, const struct security_namespaces *own, struct error *e);
