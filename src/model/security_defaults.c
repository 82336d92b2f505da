#include "model/security_defaults.h"

#include <ctype.h>
#include <linux/capability.h>
#include <string.h>

#define BIT(n) (UINT64_C(1) << (n))

const uint64_t security_capabilities = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_KILL) |
                                       BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) |
                                       BIT(CAP_SYS_CHROOT) | BIT(CAP_SETFCAP);

/* The union of what Docker and Podman mask. */
const char *const security_masked_paths[] = {
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts", /* keystrokes can be timed by it */
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap", /* power use tells what others compute */
    "/sys/firmware",
    "/sys/fs/selinux",
    NULL,
};

const char *const security_readonly_paths[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

const struct security_node security_nodes[] = {
    {"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
    {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
};
const size_t security_node_count = ARRAY_SIZE(security_nodes);

/* Docker lets a container make any node it likes (it just cannot open it); here it cannot even do that. */
void security_device_rules(struct arena *a, struct list *rules) {
    static const struct {
        int64_t major, minor;                    /* -1 = every */
    } terminals[] = {{5, 1}, {5, 2}, {136, -1}}; /* console, ptmx, pts */

    *LIST_ADD(a, struct oci_device_rule, rules) = (struct oci_device_rule){.allow = false, .type = "a", .access = "rwm"};
    for (size_t i = 0; i < ARRAY_SIZE(security_nodes); i++)
        *LIST_ADD(a, struct oci_device_rule, rules) = (struct oci_device_rule){
            .allow = true,
            .type = "c",
            .major = {true, security_nodes[i].major},
            .minor = {true, security_nodes[i].minor},
            .access = "rwm",
        };
    for (size_t i = 0; i < ARRAY_SIZE(terminals); i++)
        *LIST_ADD(a, struct oci_device_rule, rules) = (struct oci_device_rule){
            .allow = true,
            .type = "c",
            .major = {true, terminals[i].major},
            .minor = {terminals[i].minor >= 0, terminals[i].minor},
            .access = "rwm",
        };
}

void security_device_rules_all(struct arena *a, struct list *rules) {
    *LIST_ADD(a, struct oci_device_rule, rules) = (struct oci_device_rule){.allow = true, .type = "a", .access = "rwm"};
}

const struct pair security_sysctls[] = {
    {"net.ipv4.ip_unprivileged_port_start", "0"},
    {SECURITY_PING_RANGE, "0 2147483647"},
};
const size_t security_sysctl_count = ARRAY_SIZE(security_sysctls);

const struct oci_rlimit security_rlimits[] = {
    {"RLIMIT_NOFILE", 1024, 524288},
};
const size_t security_rlimit_count = ARRAY_SIZE(security_rlimits);

/* What the kernel keeps per namespace. A key ending in '.' stands for all below it. */
enum owner { OWNER_NET, OWNER_IPC, OWNER_UTS };
static const struct {
    const char *key;
    enum owner owner;
} own_sysctls[] = {
    {"net.", OWNER_NET},
    {"fs.mqueue.", OWNER_IPC},
    {"kernel.msgmax", OWNER_IPC},
    {"kernel.msgmnb", OWNER_IPC},
    {"kernel.msgmni", OWNER_IPC},
    {"kernel.sem", OWNER_IPC},
    {"kernel.shmall", OWNER_IPC},
    {"kernel.shmmax", OWNER_IPC},
    {"kernel.shmmni", OWNER_IPC},
    {"kernel.shm_rmid_forced", OWNER_IPC},
    {"kernel.domainname", OWNER_UTS},
    {"kernel.hostname", OWNER_UTS},
};

#define KEY_MAX   256
#define VALUE_MAX 4096

/* Components of letters, digits, '_' and '-' (interface names also hold '.', '@' and ':' where the separator is a slash). The
 * dotted form of the key goes to `out`. */
static bool normalize(const char *key, char out[KEY_MAX]) {
    bool slashes = key[strcspn(key, "./")] == '/';
    size_t n = strlen(key);

    if (n == 0 || n >= KEY_MAX || strchr("./", key[0]) || strchr("./", key[n - 1]))
        return false;
    for (size_t i = 0; i <= n; i++) {
        char separator = slashes ? '/' : '.';

        if (key[i] == separator) {
            if (key[i + 1] == separator || (slashes && key[i + 1] == '.'))
                return false;
            out[i] = '.';
        } else if (key[i] && !isalnum((unsigned char)key[i]) && !strchr(slashes ? "_-.@:" : "_-@:", key[i])) {
            return false;
        } else {
            out[i] = key[i];
        }
    }
    return true;
}

static bool key_fits(const char *pattern, const char *key) {
    size_t n = strlen(pattern);

    return pattern[n - 1] == '.' ? strncmp(pattern, key, n) == 0 : strcmp(pattern, key) == 0;
}

int security_check_sysctl(const char *key, const char *value, const struct security_namespaces *own, struct error *e) {
    static const char *const names[] = {[OWNER_NET] = "network", [OWNER_IPC] = "IPC", [OWNER_UTS] = "UTS"};
    const bool has[] = {[OWNER_NET] = own->net, [OWNER_IPC] = own->ipc, [OWNER_UTS] = own->uts};
    char plain[KEY_MAX];

    if (!normalize(key, plain))
        return error_set(e, -EINVAL, "\"%.256s\" is not the name of a sysctl", key);
    for (const char *c = value; *c; c++)
        if (iscntrl((unsigned char)*c) && *c != '\t')
            return error_set(e, -EINVAL, "the value of sysctl %s holds a control character", plain);
    if (strlen(value) > VALUE_MAX)
        return error_set(e, -EINVAL, "the value of sysctl %s is longer than %d bytes", plain, VALUE_MAX);
    for (size_t i = 0; i < ARRAY_SIZE(own_sysctls); i++) {
        if (!key_fits(own_sysctls[i].key, plain))
            continue;
        if (has[own_sysctls[i].owner])
            return 0;
        return error_set(e, -EPERM, "sysctl %s: the container shares the host's %s namespace", plain, names[own_sysctls[i].owner]);
    }
    return error_set(e, -EPERM, "sysctl %s: it is the host's, not the container's", plain);
}
