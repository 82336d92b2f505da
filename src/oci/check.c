/* What the specification demands of a document beyond its schema. All pure; -EINVAL names the field. */
#include <string.h>

#include "oci/oci.h"

/* ---- ociVersion: SemVer 2.0.0 ---- */

static const char *skip_number(const char *p) {
    size_t n = strspn(p, "0123456789");

    return n == 0 || (n > 1 && *p == '0') ? NULL : p + n;
}

/* Words of letters, digits and dashes with dots between them. */
static const char *skip_words(const char *p) {
    for (;; p++) {
        size_t n = strspn(p, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-");

        if (n == 0)
            return NULL;
        p += n;
        if (*p != '.')
            return p;
    }
}

static bool is_version(const char *p) {
    for (int i = 0; p && i < 3; i++) {
        p = skip_number(p);
        if (p && i < 2)
            p = *p == '.' ? p + 1 : NULL;
    }
    if (p && *p == '-')
        p = skip_words(p + 1);
    if (p && *p == '+')
        p = skip_words(p + 1);
    return p && !*p;
}

static int check_version(const char *version, struct error *e) {
    if (!is_version(version))
        return error_set(e, -EINVAL, "ociVersion: \"%s\" is not of the form 1.0.0", version);
    return strncmp(version, "1.", 2) == 0
               ? 0
               : error_set(e, -EINVAL, "ociVersion: \"%s\" is not supported, but 1.0.0 to " OCI_VERSION " and what is compatible",
                           version);
}

/* ---- Parts ---- */

static int check_root(const struct oci_spec *spec, struct error *e) {
    const struct oci_linux *l = spec->linux_;
    const char *field = NULL;

    if (!spec->root || !spec->root->path)
        return error_set(e, -EINVAL, "root: is needed");
    if (oci_spec_namespace(spec, "mount"))
        return 0;
    /* The files are the host's, and what would change them for the container would change them for all. */
    if (spec->mounts.n > 0)
        field = "mounts";
    else if (spec->root->readonly)
        field = "root.readonly";
    else if (l->masked_paths.n > 0)
        field = "linux.maskedPaths";
    else if (l->readonly_paths.n > 0)
        field = "linux.readonlyPaths";
    else if (l->devices.n > 0)
        field = "linux.devices";
    else if (l->rootfs_propagation)
        field = "linux.rootfsPropagation";
    return field ? error_set(e, -EINVAL, "%s: needs a mount namespace", field) : 0;
}

static int check_mounts(const struct list *mounts, struct error *e) {
    for (size_t i = 0; i < mounts->n; i++) {
        const struct oci_mount *m = LIST_AT(struct oci_mount, mounts, i);

        if ((m->uid_mappings.n == 0) != (m->gid_mappings.n == 0))
            return error_set(e, -EINVAL, "mounts[%zu]: uidMappings and gidMappings belong together", i);
    }
    return 0;
}

int oci_check_process(const struct oci_process *p, struct error *e) {
    for (size_t i = 0; i < p->rlimits.n; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(LIST_AT(struct oci_rlimit, &p->rlimits, i)->type, LIST_AT(struct oci_rlimit, &p->rlimits, k)->type) == 0)
                return error_set(e, -EINVAL, "process.rlimits[%zu]: %s appears twice", i,
                                 LIST_AT(struct oci_rlimit, &p->rlimits, i)->type);
    return 0;
}

static int check_paths(const char *field, const struct strs *paths, struct error *e) {
    for (size_t i = 0; i < paths->n; i++)
        if (paths->v[i][0] != '/')
            return error_set(e, -EINVAL, "%s[%zu]: \"%s\" is not an absolute path", field, i, paths->v[i]);
    return 0;
}

static int check_resources(const struct oci_resources *r, struct error *e) {
    const struct list *weights = r && r->block_io ? &r->block_io->weight_device : NULL;

    for (size_t i = 0; weights && i < weights->n; i++) {
        const struct oci_weight_device *d = LIST_AT(struct oci_weight_device, weights, i);

        if (!d->weight.set && !d->leaf_weight.set)
            return error_set(e, -EINVAL, "linux.resources.blockIO.weightDevice[%zu]: weight or leafWeight is needed", i);
    }
    for (size_t i = 0; r && i < r->rdma.n; i++) {
        const struct oci_rdma *d = LIST_AT(struct oci_rdma, &r->rdma, i);

        if (!d->hca_handles.set && !d->hca_objects.set)
            return error_set(e, -EINVAL, "linux.resources.rdma.%s: hcaHandles or hcaObjects is needed", d->key);
    }
    return 0;
}

static bool has_errno(const char *action) {
    return strcmp(action, "SCMP_ACT_ERRNO") == 0 || strcmp(action, "SCMP_ACT_TRACE") == 0;
}

static int check_seccomp(const struct oci_seccomp *s, struct error *e) {
    if (!s)
        return 0;
    if (s->default_errno_ret.set && !has_errno(s->default_action))
        return error_set(e, -EINVAL, "linux.seccomp.defaultErrnoRet: %s gives no errno", s->default_action);
    for (size_t i = 0; i < s->syscalls.n; i++) {
        const struct oci_seccomp_syscall *rule = LIST_AT(struct oci_seccomp_syscall, &s->syscalls, i);

        if (rule->errno_ret.set && !has_errno(rule->action))
            return error_set(e, -EINVAL, "linux.seccomp.syscalls[%zu].errnoRet: %s gives no errno", i, rule->action);
    }
    return 0;
}

int oci_check(const struct oci_spec *spec, struct error *e) {
    int r = check_version(spec->oci_version, e);

    if (r == 0)
        r = check_root(spec, e);
    if (r == 0)
        r = check_mounts(&spec->mounts, e);
    if (r == 0)
        r = oci_check_process(spec->process, e);
    if (r == 0)
        r = check_paths("linux.maskedPaths", &spec->linux_->masked_paths, e);
    if (r == 0)
        r = check_paths("linux.readonlyPaths", &spec->linux_->readonly_paths, e);
    if (r == 0)
        r = check_resources(spec->linux_->resources, e);
    return r < 0 ? r : check_seccomp(spec->linux_->seccomp, e);
}
