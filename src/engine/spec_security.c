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

static int parse_label(const char *value, struct security_options *ret, struct error *e) {
    static const char *const parts[LABEL_PARTS] = {[LABEL_USER] = "user",
                                                   [LABEL_ROLE] = "role",
                                                   [LABEL_TYPE] = "type",
                                                   [LABEL_LEVEL] = "level",
                                                   [LABEL_FILE_TYPE] = "filetype"};

    if (strcmp(value, "disable") == 0) {
        ret->label_disabled = true;
        return 0;
    }
    for (size_t i = 0; i < LABEL_PARTS; i++) {
        const char *v = option_value(value, parts[i]);
        if (!v)
            continue;
        ret->label[i] = v;
        return *v ? 0 : error_set(e, -EINVAL, "--security-opt label=%s: %s needs a value", value, parts[i]);
    }
    return error_set(e, -ENOTSUP, "--security-opt label=%s is not supported (only disable, user:, role:, type:, level:, filetype:)",
                     value);
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
            r = parse_label(v, &o, e);
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
