#include "model/cdi.h"

#include <string.h>

#include "base/yaml_json.h"

/* --- what the tables check ------------------------------------------------------------------------------------------------- */

static int check_words(const char *text, const char *const *words, struct error *e) {
    for (const char *const *w = words; *w; w++)
        if (strcmp(text, *w) == 0)
            return 0;
    return error_set(e, -EINVAL, "\"%s\" is none of those that there are", text);
}

static int check_type(const void *value, struct error *e) {
    static const char *const types[] = {"", "b", "c", "u", "p", NULL};

    return check_words(*(const char *const *)value, types, e);
}

static int check_permissions(const void *value, struct error *e) {
    const char *text = *(const char *const *)value;

    if (strcmp(text, "none") == 0 || strspn(text, "rwm") == strlen(text))
        return 0;
    return error_set(e, -EINVAL, "\"%s\" is not made of r, w and m", text);
}

/* -1 would be any device in the rules of a control group. */
static int check_number(const void *value, struct error *e) {
    const struct opt_i64 *n = value;

    return n->value >= 0 && n->value <= UINT32_MAX ? 0 : error_set(e, -EINVAL, "%lld is out of range", (long long)n->value);
}

static int check_env(const void *value, struct error *e) {
    const struct strs *env = value;

    for (size_t i = 0; i < env->n; i++)
        if (!strchr(env->v[i] + (*env->v[i] != '\0'), '='))
            return error_set(e, -EINVAL, "\"%s\" is not of the form NAME=value", env->v[i]);
    return 0;
}

static int check_timeout(const void *value, struct error *e) {
    const struct opt_i64 *n = value;

    return n->value >= 1 ? 0 : error_set(e, -EINVAL, "%lld is not above zero", (long long)n->value);
}

struct list *cdi_hooks_named(struct oci_hooks *hooks, const char *name) {
    const struct {
        const char *name;
        struct list *list;
    } table[] = {
        {"prestart", &hooks->prestart},
        {"createRuntime", &hooks->create_runtime},
        {"createContainer", &hooks->create_container},
        {"startContainer", &hooks->start_container},
        {"poststart", &hooks->poststart},
        {"poststop", &hooks->poststop},
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (strcmp(table[i].name, name) == 0)
            return table[i].list;
    return NULL;
}

static int check_hook_name(const void *value, struct error *e) {
    struct oci_hooks any;
    const char *name = *(const char *const *)value;

    return cdi_hooks_named(&any, name) ? 0 : error_set(e, -EINVAL, "there is no hook %s", name);
}

static int check_filled(const void *value, struct error *e) {
    return **(const char *const *)value ? 0 : error_set(e, -EINVAL, "is empty");
}

/* --- tables ---------------------------------------------------------------------------------------------------------------- */

static const struct json_field node_fields[] = {
    JSON_FIELD_CHECK(struct cdi_node, path, "path", JSON_STR, JSON_REQUIRED, check_filled),
    JSON_FIELD(struct cdi_node, host_path, "hostPath", JSON_STR, 0),
    JSON_FIELD_CHECK(struct cdi_node, type, "type", JSON_STR, 0, check_type),
    JSON_FIELD_CHECK(struct cdi_node, major, "major", JSON_OPT_I64, 0, check_number),
    JSON_FIELD_CHECK(struct cdi_node, minor, "minor", JSON_OPT_I64, 0, check_number),
    JSON_FIELD_CHECK(struct cdi_node, file_mode, "fileMode", JSON_OPT_I64, 0, check_number),
    JSON_FIELD_CHECK(struct cdi_node, permissions, "permissions", JSON_STR, 0, check_permissions),
    JSON_FIELD_CHECK(struct cdi_node, uid, "uid", JSON_OPT_I64, 0, check_number),
    JSON_FIELD_CHECK(struct cdi_node, gid, "gid", JSON_OPT_I64, 0, check_number),
    JSON_END,
};
static const struct json_table node_table = JSON_TABLE("device node", struct cdi_node, node_fields);

static const struct json_field mount_fields[] = {
    JSON_FIELD_CHECK(struct cdi_mount, host_path, "hostPath", JSON_STR, JSON_REQUIRED, check_filled),
    JSON_FIELD_CHECK(struct cdi_mount, container_path, "containerPath", JSON_STR, JSON_REQUIRED, check_filled),
    JSON_FIELD(struct cdi_mount, type, "type", JSON_STR, 0),
    JSON_FIELD(struct cdi_mount, options, "options", JSON_STRS, 0),
    JSON_END,
};
static const struct json_table mount_table = JSON_TABLE("mount", struct cdi_mount, mount_fields);

static const struct json_field hook_fields[] = {
    JSON_FIELD_CHECK(struct cdi_hook, name, "hookName", JSON_STR, JSON_REQUIRED, check_hook_name),
    JSON_FIELD_CHECK(struct cdi_hook, hook.path, "path", JSON_STR, JSON_REQUIRED, check_filled),
    JSON_FIELD(struct cdi_hook, hook.args, "args", JSON_STRS, 0),
    JSON_FIELD_CHECK(struct cdi_hook, hook.env, "env", JSON_STRS, 0, check_env),
    JSON_FIELD_CHECK(struct cdi_hook, hook.timeout, "timeout", JSON_OPT_I64, 0, check_timeout),
    JSON_END,
};
static const struct json_table hook_table = JSON_TABLE("hook", struct cdi_hook, hook_fields);

static const struct json_field net_device_fields[] = {
    JSON_FIELD_CHECK(struct cdi_net_device, host_name, "hostInterfaceName", JSON_STR, JSON_REQUIRED, check_filled),
    JSON_FIELD_CHECK(struct cdi_net_device, name, "name", JSON_STR, JSON_REQUIRED, check_filled),
    JSON_END,
};
static const struct json_table net_device_table = JSON_TABLE("network device", struct cdi_net_device, net_device_fields);

static const struct json_field edits_fields[] = {
    JSON_FIELD_CHECK(struct cdi_edits, env, "env", JSON_STRS, 0, check_env),
    JSON_FIELD_OF(struct cdi_edits, nodes, "deviceNodes", JSON_OBJS, 0, &node_table),
    JSON_FIELD_OF(struct cdi_edits, mounts, "mounts", JSON_OBJS, 0, &mount_table),
    JSON_FIELD_OF(struct cdi_edits, hooks, "hooks", JSON_OBJS, 0, &hook_table),
    JSON_FIELD(struct cdi_edits, gids, "additionalGids", JSON_U32S, 0),
    JSON_FIELD_OF(struct cdi_edits, net_devices, "netDevices", JSON_OBJS, 0, &net_device_table),
    JSON_FIELD(struct cdi_edits, intel_rdt, "intelRdt", JSON_RAW, 0),
    JSON_END,
};
static const struct json_table edits_table = JSON_TABLE("containerEdits", struct cdi_edits, edits_fields);

static const struct json_field device_fields[] = {
    JSON_FIELD(struct cdi_device, name, "name", JSON_STR, JSON_REQUIRED),
    JSON_FIELD_OF(struct cdi_device, edits, "containerEdits", JSON_OBJ, 0, &edits_table),
    JSON_END,
};
static const struct json_table device_table = JSON_TABLE("device", struct cdi_device, device_fields);

static const struct json_field file_fields[] = {
    JSON_FIELD(struct cdi_file, version, "cdiVersion", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct cdi_file, kind, "kind", JSON_STR, JSON_REQUIRED),
    JSON_FIELD_OF(struct cdi_file, devices, "devices", JSON_OBJS, JSON_REQUIRED, &device_table),
    JSON_FIELD_OF(struct cdi_file, edits, "containerEdits", JSON_OBJ, 0, &edits_table),
    JSON_END,
};
static const struct json_table file_table = JSON_TABLE("CDI file", struct cdi_file, file_fields);

/* A letter first, then letters, digits and `more`; ends with a letter or digit. */
static bool is_word(const char *s, size_t n, const char *more, bool digit_first) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", digits[] = "0123456789";

    if (n == 0 || !(strchr(letters, s[0]) || (digit_first && strchr(digits, s[0]))))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!s[i] || (!strchr(letters, s[i]) && !strchr(digits, s[i]) && !strchr(more, s[i])))
            return false;
    return !strchr(more, s[n - 1]);
}

static bool is_kind(const char *s, size_t n) {
    const char *slash = memchr(s, '/', n);

    return slash && is_word(s, (size_t)(slash - s), "_-.", false) && is_word(slash + 1, n - (size_t)(slash + 1 - s), "_-.", false);
}

bool cdi_name_is(const char *text) {
    const char *equals = strchr(text, '=');

    return equals && is_kind(text, (size_t)(equals - text)) && is_word(equals + 1, strlen(equals + 1), "_-.:", true);
}

/* --- files ----------------------------------------------------------------------------------------------------------------- */

static bool is_empty(const struct cdi_edits *d) {
    return !d->intel_rdt && d->env.n + d->nodes.n + d->mounts.n + d->hooks.n + d->gids.n + d->net_devices.n == 0;
}

static int check_devices(const struct list *devices, struct error *e) {
    if (devices->n == 0)
        return error_set(e, -EINVAL, "devices: there are none");
    for (size_t i = 0; i < devices->n; i++) {
        const struct cdi_device *d = LIST_AT(struct cdi_device, devices, i);

        if (!is_word(d->name, strlen(d->name), "_-.:", true))
            return error_set(e, -EINVAL, "devices[%zu].name: \"%s\" is no name of a device", i, d->name);
        if (is_empty(&d->edits))
            return error_set(e, -EINVAL, "devices[%zu].containerEdits: %s changes nothing", i, d->name);
        for (size_t k = 0; k < i; k++)
            if (strcmp(LIST_AT(struct cdi_device, devices, k)->name, d->name) == 0)
                return error_set(e, -EINVAL, "devices[%zu].name: %s is there twice", i, d->name);
    }
    return 0;
}

static int check_file(const struct cdi_file *f, struct error *e) {
    static const char *const versions[] = {"0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0", NULL};

    if (check_words(f->version, versions, NULL) < 0)
        return error_set(e, -EINVAL, "cdiVersion: %s is not known (0.3.0 to 1.1.0)", f->version);
    if (!is_kind(f->kind, strlen(f->kind)))
        return error_set(e, -EINVAL, "kind: %s is not of the form vendor/class", f->kind);
    return check_devices(&f->devices, e);
}

int cdi_file_decode(const char *text, size_t n, bool yaml, struct arena *a, struct cdi_file *ret, struct error *e) {
    _cleanup_buf_ struct buf json = BUF_WITH_MAX(CDI_FILE_MAX * 2);
    int r = yaml ? yaml_to_json(&file_table, text, n, &json, e) : 0;

    if (r == 0)
        r = json_decode(&file_table, yaml ? buf_text(&json) : text, yaml ? json.size : n, a, ret, e);
    return r == 0 ? check_file(ret, e) : r;
}
