#include "model/cdi.h"

#include <string.h>

static const struct json_field node_fields[] = {
    JSON_FIELD(struct cdi_node, path, "path", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct cdi_node, host_path, "hostPath", JSON_STR, 0),
    JSON_FIELD(struct cdi_node, type, "type", JSON_STR, 0),
    JSON_FIELD(struct cdi_node, major, "major", JSON_OPT_I64, 0),
    JSON_FIELD(struct cdi_node, minor, "minor", JSON_OPT_I64, 0),
    JSON_FIELD(struct cdi_node, file_mode, "fileMode", JSON_OPT_I64, 0),
    JSON_FIELD(struct cdi_node, permissions, "permissions", JSON_STR, 0),
    JSON_FIELD(struct cdi_node, uid, "uid", JSON_OPT_I64, 0),
    JSON_FIELD(struct cdi_node, gid, "gid", JSON_OPT_I64, 0),
    JSON_END,
};
static const struct json_table node_table = JSON_TABLE("device node", struct cdi_node, node_fields);

static const struct json_field mount_fields[] = {
    JSON_FIELD(struct cdi_mount, host_path, "hostPath", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct cdi_mount, container_path, "containerPath", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct cdi_mount, type, "type", JSON_STR, 0),
    JSON_FIELD(struct cdi_mount, options, "options", JSON_STRS, 0),
    JSON_END,
};
static const struct json_table mount_table = JSON_TABLE("mount", struct cdi_mount, mount_fields);

static const struct json_field hook_fields[] = {
    JSON_FIELD(struct cdi_hook, name, "hookName", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct cdi_hook, path, "path", JSON_STR, JSON_REQUIRED),
    JSON_END,
};
static const struct json_table hook_table = JSON_TABLE("hook", struct cdi_hook, hook_fields);

static const struct json_field edits_fields[] = {
    JSON_FIELD(struct cdi_edits, env, "env", JSON_STRS, 0),
    JSON_FIELD_OF(struct cdi_edits, nodes, "deviceNodes", JSON_OBJS, 0, &node_table),
    JSON_FIELD_OF(struct cdi_edits, mounts, "mounts", JSON_OBJS, 0, &mount_table),
    JSON_FIELD_OF(struct cdi_edits, hooks, "hooks", JSON_OBJS, 0, &hook_table),
    JSON_FIELD(struct cdi_edits, gids, "additionalGids", JSON_U32S, 0),
    JSON_FIELD(struct cdi_edits, intel_rdt, "intelRdt", JSON_RAW, 0),
    JSON_FIELD(struct cdi_edits, net_devices, "netDevices", JSON_RAW, 0),
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

int cdi_file_decode(const char *text, size_t n, struct arena *a, struct cdi_file *ret, struct error *e) {
    static const char *const versions[] = {"0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0"};
    bool known = false;
    int r = json_decode(&file_table, text, n, a, ret, e);

    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
        known = known || strcmp(versions[i], ret->version) == 0;
    if (!known)
        return error_set(e, -EINVAL, "cdiVersion: %s is not known (0.3.0 to 1.0.0)", ret->version);
    if (!is_kind(ret->kind, strlen(ret->kind)))
        return error_set(e, -EINVAL, "kind: %s is not of the form vendor/class", ret->kind);
    return 0;
}
