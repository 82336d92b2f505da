#include "runtime/rlimit.h"

#include <string.h>
#include <sys/resource.h>

#include "kernel/sys.h"

static const struct {
    const char *name;
    int number;
} limits[] = {
    {"RLIMIT_AS", RLIMIT_AS},           {"RLIMIT_CORE", RLIMIT_CORE},         {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},       {"RLIMIT_FSIZE", RLIMIT_FSIZE},       {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK}, {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE}, {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},   {"RLIMIT_NPROC", RLIMIT_NPROC},       {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},   {"RLIMIT_RTTIME", RLIMIT_RTTIME},     {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
};

int rlimit_number(const char *name, struct error *e) {
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
        if (strcmp(limits[i].name, name) == 0)
            return limits[i].number;
    return error_set(e, -EINVAL, "unknown resource limit %s", name);
}

int rlimit_raise(pid_t pid, const char *name, uint64_t soft, uint64_t hard, struct error *e) {
    struct rlimit64 have = {0};
    int r = rlimit_number(name, e);

    if (r < 0)
        return r;
    r = sys_prlimit64(pid, r, NULL, &have);
    if (r < 0)
        return error_errno(e, r, "read %s", name);
    soft = MAX_OF(soft, have.rlim_cur);
    hard = MAX_OF(hard, have.rlim_max);
    return soft == have.rlim_cur && hard == have.rlim_max ? 0 : rlimit_set(pid, name, soft, hard, e);
}

int rlimit_set(pid_t pid, const char *name, uint64_t soft, uint64_t hard, struct error *e) {
    const struct rlimit64 want = {.rlim_cur = soft, .rlim_max = hard};
    struct rlimit64 have = {0};
    int r = rlimit_number(name, e);

    if (r < 0)
        return r;
    r = sys_prlimit64(pid, r, &want, NULL);
    if (r == -EPERM && sys_prlimit64(pid, rlimit_number(name, NULL), NULL, &have) == 0)
        return error_set(e, r, "set %s to %llu:%llu: this host allows at most %llu", name, (unsigned long long)soft,
                         (unsigned long long)hard, (unsigned long long)have.rlim_max);
    return r < 0 ? error_errno(e, r, "set %s to %llu:%llu", name, (unsigned long long)soft, (unsigned long long)hard) : 0;
}
