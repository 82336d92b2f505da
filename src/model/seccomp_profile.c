#include "model/seccomp_profile.h"

#include <string.h>

static const struct json_field arg_fields[] = {
    JSON_FIELD(struct oci_seccomp_arg, index, "index", JSON_U32, JSON_REQUIRED),
    JSON_FIELD(struct oci_seccomp_arg, value, "value", JSON_U64, 0),
    JSON_FIELD(struct oci_seccomp_arg, value_two, "valueTwo", JSON_U64, 0),
    JSON_FIELD(struct oci_seccomp_arg, op, "op", JSON_STR, JSON_REQUIRED),
    JSON_END,
};
static const struct json_table arg_table = JSON_TABLE("argument", struct oci_seccomp_arg, arg_fields);

static const struct json_field condition_fields[] = {
    JSON_FIELD(struct seccomp_condition, caps, "caps", JSON_STRS, 0),
    JSON_FIELD(struct seccomp_condition, arches, "arches", JSON_STRS, 0),
    JSON_FIELD(struct seccomp_condition, min_kernel, "minKernel", JSON_STR, 0),
    JSON_END,
};
static const struct json_table condition_table = JSON_TABLE("condition", struct seccomp_condition, condition_fields);

static const struct json_field rule_fields[] = {
    JSON_FIELD(struct seccomp_rule, name, "name", JSON_STR, 0),
    JSON_FIELD(struct seccomp_rule, names, "names", JSON_STRS, 0),
    JSON_FIELD(struct seccomp_rule, action, "action", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct seccomp_rule, errno_ret, "errnoRet", JSON_OPT_U64, 0),
    JSON_FIELD_OF(struct seccomp_rule, args, "args", JSON_OBJS, 0, &arg_table),
    JSON_FIELD_OF(struct seccomp_rule, includes, "includes", JSON_OBJ, 0, &condition_table),
    JSON_FIELD_OF(struct seccomp_rule, excludes, "excludes", JSON_OBJ, 0, &condition_table),
    JSON_END,
};
static const struct json_table rule_table = JSON_TABLE("rule", struct seccomp_rule, rule_fields);

static const struct json_field arch_map_fields[] = {
    JSON_FIELD(struct seccomp_arch_map, architecture, "architecture", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct seccomp_arch_map, sub_architectures, "subArchitectures", JSON_STRS, 0),
    JSON_END,
};
static const struct json_table arch_map_table = JSON_TABLE("architecture map", struct seccomp_arch_map, arch_map_fields);

static const struct json_field profile_fields[] = {
    JSON_FIELD(struct seccomp_profile, default_action, "defaultAction", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct seccomp_profile, default_errno_ret, "defaultErrnoRet", JSON_OPT_U64, 0),
    JSON_FIELD(struct seccomp_profile, architectures, "architectures", JSON_STRS, 0),
    JSON_FIELD_OF(struct seccomp_profile, arch_map, "archMap", JSON_OBJS, 0, &arch_map_table),
    JSON_FIELD(struct seccomp_profile, flags, "flags", JSON_STRS, 0),
    JSON_FIELD(struct seccomp_profile, listener_path, "listenerPath", JSON_STR, 0),
    JSON_FIELD(struct seccomp_profile, listener_metadata, "listenerMetadata", JSON_STR, 0),
    JSON_FIELD_OF(struct seccomp_profile, rules, "syscalls", JSON_OBJS, 0, &rule_table),
    JSON_END,
};
const struct json_table seccomp_profile_table = JSON_TABLE("seccomp profile", struct seccomp_profile, profile_fields);

/* src/data/seccomp-default.json, turned into C when tare is built. */
extern const unsigned char seccomp_default[];
extern const size_t seccomp_default_size;

const char *seccomp_profile_default(size_t *ret_size) {
    *ret_size = seccomp_default_size;
    return (const char *)seccomp_default;
}

int seccomp_profile_decode(const char *text, size_t n, struct arena *a, struct seccomp_profile *ret, struct error *e) {
    int r;

    if (n > SECCOMP_PROFILE_MAX)
        return error_set(e, -EFBIG, "the seccomp profile is larger than %zu bytes", SECCOMP_PROFILE_MAX);
    r = json_decode(&seccomp_profile_table, text, n, a, ret, e);
    return r < 0 ? error_wrap(e, r, "read the seccomp profile") : 0;
}

/* 1: the kernel is at least `text`, "major.minor". */
static int kernel_reaches(const char *text, const struct seccomp_host *host, struct error *e) {
    unsigned major, minor;
    char rest;

    if (sscanf(text, "%u.%u%c", &major, &minor, &rest) != 2)
        return error_set(e, -EINVAL, "seccomp profile: minKernel \"%.32s\" is not of the form \"4.8\"", text);
    return host->kernel_major > major || (host->kernel_major == major && host->kernel_minor >= minor);
}

/* 1: the rule holds here, 0: it does not. */
static int rule_holds(const struct seccomp_rule *rule, const struct seccomp_host *host, struct error *e) {
    const struct seccomp_condition *in = &rule->includes, *ex = &rule->excludes;
    int r;

    for (size_t i = 0; i < in->caps.n; i++)
        if (!strs_has(&host->caps, in->caps.v[i]))
            return 0;
    for (size_t i = 0; i < ex->caps.n; i++)
        if (strs_has(&host->caps, ex->caps.v[i]))
            return 0;
    if ((in->arches.n && !strs_has(&in->arches, host->arch)) || strs_has(&ex->arches, host->arch))
        return 0;
    if (in->min_kernel && *in->min_kernel) {
        r = kernel_reaches(in->min_kernel, host, e);
        if (r <= 0)
            return r;
    }
    if (ex->min_kernel && *ex->min_kernel) {
        r = kernel_reaches(ex->min_kernel, host, e);
        if (r != 0)
            return MIN_OF(r, 0);
    }
    return 1;
}

static void add_architectures(const struct seccomp_profile *p, const struct seccomp_host *host, struct arena *a, struct strs *ret) {
    strs_add(a, ret, host->scmp_arch);
    if (!host->compat)
        return;
    for (size_t i = 0; i < p->arch_map.n; i++) {
        const struct seccomp_arch_map *m = LIST_AT(struct seccomp_arch_map, &p->arch_map, i);

        if (strcmp(m->architecture, host->scmp_arch) != 0)
            continue;
        for (size_t k = 0; k < m->sub_architectures.n; k++)
            strs_add(a, ret, m->sub_architectures.v[k]);
    }
    for (size_t i = 0; i < p->architectures.n; i++)
        if (!strs_has(ret, p->architectures.v[i]))
            strs_add(a, ret, p->architectures.v[i]);
}

int seccomp_profile_resolve(const struct seccomp_profile *p, const struct seccomp_host *host, struct arena *a,
                            struct oci_seccomp *ret, struct error *e) {
    struct oci_seccomp out = {
        .default_action = p->default_action,
        .default_errno_ret = p->default_errno_ret,
        .flags = p->flags,
        .listener_path = p->listener_path,
        .listener_metadata = p->listener_metadata,
    };

    add_architectures(p, host, a, &out.architectures);
    for (size_t i = 0; i < p->rules.n; i++) {
        const struct seccomp_rule *rule = LIST_AT(struct seccomp_rule, &p->rules, i);
        struct oci_seccomp_syscall *s;
        int r = rule_holds(rule, host, e);

        if (r < 0)
            return r;
        if (r == 0)
            continue;
        if (rule->names.n == 0 && !rule->name)
            return error_set(e, -EINVAL, "seccomp profile: rule %zu names no system call", i + 1);
        s = LIST_ADD(a, struct oci_seccomp_syscall, &out.syscalls);
        *s = (struct oci_seccomp_syscall){
            .names = rule->names,
            .action = rule->action,
            .errno_ret = rule->errno_ret,
            .args = rule->args,
        };
        if (rule->name) {
            s->names = (struct strs){0};
            strs_add(a, &s->names, rule->name);
            for (size_t k = 0; k < rule->names.n; k++)
                strs_add(a, &s->names, rule->names.v[k]);
        }
    }
    *ret = out;
    return 0;
}
