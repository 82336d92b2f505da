#include <string.h>

#include "engine/spec_parts.h"
#include "model/units.h"

/* "key=value" or the old "key:value"; value NULL when there is none. */
static const char *option_value(const char *text, const char *key) {
    size_t n = strlen(key);
    return strncmp(text, key, n) == 0 && (text[n] == '=' || text[n] == ':') ? text + n + 1 : NULL;
}

static void add_paths(struct arena *a, struct strs *to, const char *list) {
    for (;;) {
        size_t n = strcspn(list, ":");
        strs_add(a, to, arena_strndup(a, list, n));
        if (!list[n])
            return;
        list += n + 1;
    }
}

static int parse_label(const char *value, struct arena *a, struct security_options *ret, struct error *e) {
    /* Without SELinux in the kernel the label has no meaning; `disable` is then true already. */
    if (strcmp(value, "disable") == 0)
        return 0;
    if (strncmp(value, "type:", 5) == 0) {
        ret->label = arena_printf(a, "system_u:system_r:%s:s0", value + 5);
        return 0;
    }
    return error_set(e, -ENOTSUP, "--security-opt label=%s is not supported (only disable and type:…)", value);
}

int security_options_parse(const struct strs *options, struct arena *a, struct security_options *ret, struct error *e) {
    struct security_options o = {0};
    for (size_t i = 0; i < options->n; i++) {
        const char *text = options->v[i], *v;
        int r = 0;
        if (strcmp(text, "no-new-privileges") == 0)
            o.no_new_privileges = true;
        else if ((v = option_value(text, "no-new-privileges")))
            r = bool_parse(v, &o.no_new_privileges);
        else if ((v = option_value(text, "seccomp"))) {
            o.seccomp_unconfined = strcmp(v, "unconfined") == 0;
            o.seccomp_profile = o.seccomp_unconfined || strcmp(v, "builtin") == 0 ? NULL : v;
        } else if ((v = option_value(text, "apparmor")))
            o.apparmor = strcmp(v, "unconfined") == 0 ? "" : v;
        else if ((v = option_value(text, "label")))
            r = parse_label(v, a, &o, e);
        else if ((v = option_value(text, "systempaths")) && strcmp(v, "unconfined") == 0)
            o.paths_unconfined = true;
        else if ((v = option_value(text, "writable-cgroups")))
            r = bool_parse(v, &o.writable_cgroups);
        else if ((v = option_value(text, "mask")))
            add_paths(a, &o.mask, v);
        else if ((v = option_value(text, "unmask")))
            add_paths(a, &o.unmask, v);
        else
            r = -EINVAL;
        if (r < 0)
            return e && e->text ? r : error_set(e, r, "invalid --security-opt: \"%s\"", text);
    }
    *ret = o;
    return 0;
}
