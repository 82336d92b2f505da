/* Container Device Interface: files in which vendors say what a container needs for a device of theirs.
 *
 * Source: container-device-interface, SPEC.md, versions 0.3.0 to 1.1.0, and its reference implementation where that says nothing.
 */
#pragma once

#include "model/oci_spec.h"

#define CDI_FILE_MAX ((size_t)4 << 20)

struct cdi_node {
    const char *path, *host_path; /* inside; on the host, when it differs */
    const char *type;             /* b, c, u, p; NULL: as on the host */
    struct opt_i64 major, minor, file_mode, uid, gid;
    const char *permissions; /* of "rwm", or "none"; NULL = rwm */
};
struct cdi_mount {
    const char *host_path, *container_path, *type;
    struct strs options;
};
struct cdi_hook {
    const char *name; /* createContainer and the others of the OCI specification */
    struct oci_hook hook;
};
struct cdi_net_device {
    const char *host_name, *name;
};
struct cdi_edits {
    struct strs env;
    struct list nodes;       /* struct cdi_node */
    struct list mounts;      /* struct cdi_mount */
    struct list hooks;       /* struct cdi_hook */
    struct list gids;        /* uint32_t */
    struct list net_devices; /* struct cdi_net_device */
    const char *intel_rdt;   /* JSON; NULL = none */
};
struct cdi_device {
    const char *name;
    struct cdi_edits edits;
};
struct cdi_file {
    const char *version, *kind;
    struct list devices; /* struct cdi_device */
    struct cdi_edits edits;
};

/* "vendor.com/class=name"? Such names are told from paths by it. */
bool cdi_name_is(const char *text);
/* JSON, or YAML (base/yaml_json.h). -EBADMSG, -EINVAL, -ENOTSUP: what is wrong, without the path. */
int cdi_file_decode(const char *text, size_t n, bool yaml, struct arena *a, struct cdi_file *ret, struct error *e);
/* Where a hook of that name stands among the specification's; NULL: there is no such. */
struct list *cdi_hooks_named(struct oci_hooks *hooks, const char *name);
