#include "kernel/capability.h"

#include <linux/capability.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "kernel/sys.h"

static const char *const names[CAPABILITY_COUNT] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

#define PREFIX "CAP_"

const char *capability_name(unsigned n) {
    return n < CAPABILITY_COUNT ? names[n] : NULL;
}

int capability_parse(const char *text, unsigned *ret, struct error *e) {
    const char *bare = strncasecmp(text, PREFIX, strlen(PREFIX)) == 0 ? text + strlen(PREFIX) : text;

    for (unsigned n = 0; n < CAPABILITY_COUNT; n++)
        if (strcasecmp(bare, names[n] + strlen(PREFIX)) == 0) {
            *ret = n;
            return 0;
        }
    return error_set(e, -EINVAL, "unknown capability \"%.64s\"", text);
}

static bool is_all(const char *text) {
    return strcasecmp(text, "ALL") == 0 || strcasecmp(text, "CAP_ALL") == 0;
}

/* Parses the names; ALL only sets *ret_all. */
static int parse_names(const struct strs *list, uint64_t *ret, bool *ret_all, struct error *e) {
    uint64_t set = 0;
    bool all = false;

    for (size_t i = 0; i < list->n; i++) {
        unsigned n;
        int r;

        if (is_all(list->v[i])) {
            all = true;
            continue;
        }
        r = capability_parse(list->v[i], &n, e);
        if (r < 0)
            return r;
        set |= CAPABILITY_BIT(n);
    }
    *ret = set;
    *ret_all = all;
    return 0;
}

int capability_parse_list(const struct strs *list, uint64_t *ret, struct error *e) {
    uint64_t set;
    bool all;
    int r = parse_names(list, &set, &all, e);

    if (r < 0)
        return r;
    *ret = all ? capability_kernel() : set;
    return 0;
}

void capability_list(uint64_t set, struct arena *a, struct strs *ret) {
    *ret = (struct strs){0};
    for (unsigned n = 0; n < CAPABILITY_COUNT; n++)
        if (set & CAPABILITY_BIT(n))
            strs_add(a, ret, names[n]);
}

int capability_adjust(uint64_t base, const struct strs *add, const struct strs *drop, uint64_t *ret, struct error *e) {
    uint64_t added, dropped;
    bool add_all, drop_all;
    int r;

    r = parse_names(add, &added, &add_all, e);
    if (r < 0)
        return error_wrap(e, r, "--cap-add");
    r = parse_names(drop, &dropped, &drop_all, e);
    if (r < 0)
        return error_wrap(e, r, "--cap-drop");
    if (add_all)
        *ret = drop_all ? 0 : capability_kernel() & ~dropped;
    else if (drop_all)
        *ret = added;
    else
        *ret = (base & ~dropped) | added;
    return 0;
}

uint64_t capability_kernel(void) {
    static uint64_t known;

    if (known == 0)
        for (unsigned n = 0; n < CAPABILITY_COUNT; n++)
            if (prctl(PR_CAPBSET_READ, n, 0, 0, 0) == 1)
                known |= CAPABILITY_BIT(n);
    return known;
}

static uint64_t join(uint32_t low, uint32_t high) {
    return (uint64_t)high << 32 | low;
}

int capability_get(struct capability_sets *ret, struct error *e) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    struct capability_sets sets = {0};

    if (syscall(SYS_capget, &header, data) < 0)
        return error_errno(e, -errno, "read the capabilities");
    sets.effective = join(data[0].effective, data[1].effective);
    sets.permitted = join(data[0].permitted, data[1].permitted);
    sets.inheritable = join(data[0].inheritable, data[1].inheritable);
    for (unsigned n = 0; n < CAPABILITY_COUNT; n++) {
        if (prctl(PR_CAPBSET_READ, n, 0, 0, 0) == 1)
            sets.bounding |= CAPABILITY_BIT(n);
        /* The kernel keeps the ambient set within these two. */
        if (sets.permitted & sets.inheritable & CAPABILITY_BIT(n) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, n, 0, 0) == 1)
            sets.ambient |= CAPABILITY_BIT(n);
    }
    *ret = sets;
    return 0;
}

int capability_bound(uint64_t set, struct error *e) {
    /* Past the table, too: a kernel may know capabilities that we do not. EINVAL is the end of its list. */
    for (unsigned n = 0; n < 64; n++) {
        int r = set & CAPABILITY_BIT(n) ? 0 : sys_prctl(PR_CAPBSET_DROP, n, 0, 0, 0);

        if (r == -EINVAL)
            break;
        if (r < 0)
            return error_errno(e, r, "drop %s from the bounding set", n < CAPABILITY_COUNT ? names[n] : "a capability");
    }
    return 0;
}

int capability_keep(struct error *e) {
    int r = sys_prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);

    return r < 0 ? error_errno(e, r, "keep the capabilities over a change of user") : 0;
}

/* The kernel only says EPERM; say which one it was about. */
static int explain_refusal(const struct capability_sets *sets, int code, struct error *e) {
    struct capability_sets now;
    uint64_t missing;

    if (code != -EPERM || capability_get(&now, NULL) < 0)
        return error_errno(e, code, "set the capabilities");
    missing = sets->permitted & ~now.permitted;
    for (unsigned n = 0; n < CAPABILITY_COUNT; n++)
        if (missing & CAPABILITY_BIT(n)) {
            error_set(e, code, "grant %s: this process does not have it itself", names[n]);
            return error_hint(e, "leave it out with --cap-drop=%s", names[n] + strlen(PREFIX));
        }
    return error_errno(e, code, "set the capabilities");
}

static int raise_ambient(uint64_t set, struct error *e) {
    int r = sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);

    if (r < 0)
        return error_errno(e, r, "clear the ambient capabilities");
    for (unsigned n = 0; n < CAPABILITY_COUNT; n++) {
        r = set & CAPABILITY_BIT(n) ? sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, n, 0, 0) : 0;
        if (r < 0)
            return error_errno(e, r, "raise the ambient capability %s", names[n]);
    }
    return 0;
}

int capability_apply(const struct capability_sets *sets, struct error *e) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {(uint32_t)sets->effective, (uint32_t)sets->permitted, (uint32_t)sets->inheritable},
        {(uint32_t)(sets->effective >> 32), (uint32_t)(sets->permitted >> 32), (uint32_t)(sets->inheritable >> 32)},
    };

    int r = sys_capset(&header, data);

    if (r < 0)
        return explain_refusal(sets, r, e);
    return raise_ambient(sets->ambient, e);
}
