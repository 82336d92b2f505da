#include "model/ulimit.h"

#include <string.h>

#include "model/units.h"

int ulimit_parse(const char *text, struct ulimit *ret, struct error *e) {
    size_t n = strcspn(text, "=");
    static const char *const names[] = {"core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
                                        "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack"};
    if (!text[n] || !n)
        return error_set(e, -EINVAL, "invalid ulimit argument: %s", text);
    ret->name = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strlen(names[i]) == n && memcmp(names[i], text, n) == 0)
            ret->name = names[i];
    if (!ret->name)
        return error_set(e, -EINVAL, "invalid ulimit type: %.*s", (int)n, text);
    char value[64];
    const char *soft = text + n + 1;
    size_t s = strcspn(soft, ":");
    if (s >= sizeof(value))
        return error_set(e, -EINVAL, "invalid ulimit argument: %s", text);
    memcpy(value, soft, s);
    value[s] = 0;
    if (int_parse(value, -1, INT64_MAX, &ret->soft) < 0)
        return error_set(e, -EINVAL, "invalid ulimit argument: %s", text);
    ret->hard = ret->soft;
    if (soft[s] && int_parse(soft + s + 1, -1, INT64_MAX, &ret->hard) < 0)
        return error_set(e, -EINVAL, "invalid ulimit argument: %s", text);
    if (ret->hard != -1 && (ret->soft == -1 || ret->soft > ret->hard))
        return error_set(e, -EINVAL, "ulimit soft limit must be less than or equal to hard limit: %lld > %lld",
                         (long long)ret->soft, (long long)ret->hard);
    return 0;
}
