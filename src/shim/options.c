/* The runtime's options: runc's message, or what stands in containerd's configuration of a runtime that it does not know (CRI), as
 * TOML. */
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/toml.h"
#include "shim/messages.pb-c.h"
#include "shim/shim.h"

#define OPTIONS_MAX ((size_t)1 << 16)

struct written {
    const char *shim_cgroup, *binary_name, *root;
    uint32_t io_uid, io_gid;
    bool no_pivot_root, no_new_keyring, systemd_cgroup;
};

static const struct json_field written_fields[] = {
    JSON_FIELD(struct written, no_pivot_root, "NoPivotRoot", JSON_BOOL, 0),
    JSON_FIELD(struct written, no_new_keyring, "NoNewKeyring", JSON_BOOL, 0),
    JSON_FIELD(struct written, systemd_cgroup, "SystemdCgroup", JSON_BOOL, 0),
    JSON_FIELD(struct written, shim_cgroup, "ShimCgroup", JSON_STR, 0),
    JSON_FIELD(struct written, io_uid, "IoUid", JSON_U32, 0),
    JSON_FIELD(struct written, io_gid, "IoGid", JSON_U32, 0),
    JSON_FIELD(struct written, binary_name, "BinaryName", JSON_STR, 0),
    JSON_FIELD(struct written, root, "Root", JSON_STR, 0),
    JSON_END,
};
static const struct json_table written_table = JSON_TABLE("options", struct written, written_fields);

static char *text_or_empty(struct arena *a, const char *text) {
    return arena_strdup(a, text ? text : "");
}

static int read_toml(const Pb__WrittenOptions *m, struct arena *a, Pb__Options *ret, struct error *e) {
    const char *text = (const char *)m->config_body.data, *name = "the runtime's options";
    _cleanup_buf_ struct buf file = BUF_INIT, json = BUF_INIT;
    size_t n = m->config_body.len;
    struct written w = {0};
    int r = 0;

    if (n == 0 && *m->config_path) {
        name = m->config_path;
        r = fs_read_at(AT_FDCWD, name, OPTIONS_MAX, &file, e);
        text = buf_text(&file);
        n = file.size;
    }
    if (r == 0 && n > 0)
        r = toml_to_json(text, n, name, &json, e);
    if (r == 0 && n > 0)
        r = json_decode(&written_table, buf_text(&json), json.size, a, &w, e);
    if (r < 0)
        return r;
    ret->no_pivot_root = w.no_pivot_root;
    ret->no_new_keyring = w.no_new_keyring;
    ret->systemd_cgroup = w.systemd_cgroup;
    ret->io_uid = w.io_uid;
    ret->io_gid = w.io_gid;
    ret->shim_cgroup = text_or_empty(a, w.shim_cgroup);
    ret->binary_name = text_or_empty(a, w.binary_name);
    ret->root = text_or_empty(a, w.root);
    return 0;
}

int options_read(const Pb__Any *any, struct arena *a, const Pb__Options **ret, struct error *e) {
    Pb__Options *o = arena_new(a, Pb__Options);
    const Pb__WrittenOptions *m;

    *o = (Pb__Options)PB__OPTIONS__INIT;
    *ret = o;
    if (any && strstr(any->type_url, "runc.v1.Options")) {
        *ret = message_unpack(&pb__options__descriptor, any->value.data, any->value.len, a);
        return *ret ? 0 : error_set(e, -EINVAL, "the options cannot be read");
    }
    if (!any || !strstr(any->type_url, "runtimeoptions.v1.Options"))
        return 0;
    m = message_unpack(&pb__written_options__descriptor, any->value.data, any->value.len, a);
    return m ? read_toml(m, a, o, e) : error_set(e, -EINVAL, "the options cannot be read");
}
