/* Container Device Interface: files in which vendors say what a container needs for a device of theirs.
 *
 * Source: container-device-interface, SPEC.md, versions 0.3.0 to 1.0.0; JSON only. */
#pragma once

#include "base/json.h"

#define CDI_FILE_MAX ((size_t)4 << 20)

struct cdi_node {
    const char *path, *host_path; /* inside; on the host, when it differs */
    const char *type;             /* b, c, u; NULL: as on the host */
    struct opt_i64 major, minor, file_mode, uid, gid;
    const char *permissions; /* NULL = rwm */
};
struct cdi_mount {
    const char *host_path, *container_path, *type;
    struct strs options;
};
struct cdi_hook {
    const char *name, *path;
};
struct cdi_edits {
    struct strs env;
    struct list nodes;                   /* struct cdi_node */
    struct list mounts;                  /* struct cdi_mount */
    struct list hooks;                   /* struct cdi_hook */
    struct list gids;                    /* uint32_t */
    const char *intel_rdt, *net_devices; /* JSON; NULL = none */
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
/* -EBADMSG, -EINVAL: what is wrong, without the path. */
int cdi_file_decode(const char *text, size_t n, struct arena *a, struct cdi_file *ret, struct error *e);
