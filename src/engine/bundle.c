#include "engine/bundle.h"

#include <sys/stat.h>

#include "base/fs.h"
#include "runtime/end_hooks.h"

#define CONFIG_FILE "config.json"
#define ROOTFS_DIR  "rootfs"

/* Where the hooks of the child find the root file system. */
static const char *root_path(const struct plan_rootfs *root, const char *bundle, struct arena *a) {
    if (root->kind == PLAN_ROOTFS_NONE)
        return "/";
    return root->kind == PLAN_ROOTFS_BIND ? root->path : arena_printf(a, "%s/" ROOTFS_DIR, bundle);
}

int bundle_make(const struct engine *engine, const struct container *c, struct start_context *x, struct arena *a, struct error *e) {
    _cleanup_buf_ struct buf config = BUF_INIT;
    const char *bundle = container_run_path(engine, c->id, "", a);
    int r;

    x->spec.root->path = root_path(&x->plan.rootfs, bundle, a);
    if (x->plan.rootfs.kind == PLAN_ROOTFS_OVERLAY)
        x->plan.rootfs.path = x->spec.root->path;
    x->plan.state_head = hook_state_head(a, OCI_VERSION, c->id, bundle, &x->spec.annotations);
    x->plan.poststart = true;
    json_encode(&oci_spec_table, &x->spec, 0, &config);
    if (config.failed)
        return error_set(e, -E2BIG, "the configuration is too large for hooks");
    x->plan.bundle = bundle;
    x->plan.bundle_at = engine->roots->run_root;
    x->plan.config = arena_strdup(a, buf_text(&config));
    if (mkdirat(c->run_dirfd, ROOTFS_DIR, 0755) < 0 && errno != EEXIST)
        return error_errno(e, -errno, "make the place where hooks see the root");
    r = fs_replace_at(c->run_dirfd, CONFIG_FILE, config.data, config.size, 0600, FS_NO_SYNC, e);
    return r < 0 ? r : end_hooks_write(c->run_dirfd, &x->spec, x->plan.state_head, e);
}
