/* What the specification demands of a document beyond its schema. All pure; -EINVAL names the field. */
#include <string.h>

#include "model/cpu_list.h"
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
    if (strspn(spec->root->path, "/") != strlen(spec->root->path) || !*spec->root->path)
        field = "root.path";
    else if (spec->mounts.n > 0)
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

static int check_range(const char *field, int64_t value, int64_t min, int64_t max, struct error *e) {
    return value >= min && value <= max ? 0
                                        : error_set(e, -EINVAL, "%s: %lld is not between %lld and %lld", field, (long long)value,
                                                    (long long)min, (long long)max);
}

#define RLIMITS_MAX 64 /* more than there are kinds */

static int check_rlimits(const struct list *rlimits, struct error *e) {
    for (size_t i = 0; i < rlimits->n && i < RLIMITS_MAX; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(LIST_AT(struct oci_rlimit, rlimits, i)->type, LIST_AT(struct oci_rlimit, rlimits, k)->type) == 0)
                return error_set(e, -EINVAL, "process.rlimits[%zu]: %s appears twice", i,
                                 LIST_AT(struct oci_rlimit, rlimits, i)->type);
    return rlimits->n <= RLIMITS_MAX ? 0 : error_set(e, -EINVAL, "process.rlimits: %zu are more than there are kinds", rlimits->n);
}

/* The highest id is the kernel's word for "as it is": the process would stay what its maker is, root. */
static int check_user(const struct oci_user *u, struct error *e) {
    int r = check_range("process.user.uid", u->uid, 0, UINT32_MAX - 1, e);

    if (r == 0)
        r = check_range("process.user.gid", u->gid, 0, UINT32_MAX - 1, e);
    return r < 0 || !u->umask.set ? r : check_range("process.user.umask", u->umask.value, 0, 0777, e);
}

static int check_cpus(const char *field, const char *list, struct error *e) {
    unsigned char bits[1024];
    size_t n;
    int r = list && *list ? cpu_list_bits(list, bits, sizeof(bits), &n, e) : 0;

    return r < 0 ? error_wrap(e, r, "process.execCPUAffinity.%s", field) : 0;
}

int oci_check_process(const struct oci_process *p, struct error *e) {
    int r = check_user(&p->user, e);

    if (r == 0)
        r = check_rlimits(&p->rlimits, e);
    if (r == 0 && p->io_priority)
        r = check_range("process.ioPriority.priority", p->io_priority->priority, 0, 7, e);
    if (r == 0 && p->scheduler)
        r = check_range("process.scheduler.nice", p->scheduler->nice, -20, 19, e);
    if (r == 0 && p->exec_cpu_affinity)
        r = check_cpus("initial", p->exec_cpu_affinity->initial, e);
    if (r == 0 && p->exec_cpu_affinity)
        r = check_cpus("final", p->exec_cpu_affinity->final, e);
    return r;
}

#define MAJOR_MAX 4095 /* dev_t of the kernel: 12 and 20 bits */
#define MINOR_MAX 1048575

static int check_devices(const struct list *devices, struct error *e) {
    for (size_t i = 0; i < devices->n; i++) {
        const struct oci_device *d = LIST_AT(struct oci_device, devices, i);
        bool fifo = strcmp(d->type, "p") == 0;
        int r = check_range("major", d->major, 0, MAJOR_MAX, e);

        if (r == 0)
            r = check_range("minor", d->minor, 0, MINOR_MAX, e);
        if (r == 0 && !fifo && d->major == 0 && d->minor == 0)
            r = error_set(e, -EINVAL, "major and minor are needed");
        if (r == 0 && d->uid.set)
            r = check_range("uid", d->uid.value, 0, UINT32_MAX - 1, e);
        if (r == 0 && d->gid.set)
            r = check_range("gid", d->gid.value, 0, UINT32_MAX - 1, e);
        if (r < 0)
            return error_wrap(e, r, "linux.devices[%zu]", i);
    }
    return 0;
}

/* Of a rule that is not understood, each version of control groups would make something else. -1 is a wildcard to callers. */
static int check_rule(const struct oci_device_rule *rule, struct error *e) {
    int r = 0;

    if (rule->type && *rule->type && (!strchr("abc", *rule->type) || rule->type[1]))
        return error_set(e, -EINVAL, "type: \"%s\" is not a, b or c", rule->type);
    if (rule->access && (strspn(rule->access, "rwm") != strlen(rule->access) || strlen(rule->access) > 3))
        return error_set(e, -EINVAL, "access: \"%s\" is not made of r, w and m", rule->access);
    if (rule->major.set)
        r = check_range("major", rule->major.value, -1, MAJOR_MAX, e);
    return r < 0 || !rule->minor.set ? r : check_range("minor", rule->minor.value, -1, MINOR_MAX, e);
}

static int check_memory(const struct oci_memory *m, struct error *e) {
    const struct {
        const char *field;
        const struct opt_i64 *value;
    } limits[] = {{"linux.resources.memory.limit", &m->limit},
                  {"linux.resources.memory.reservation", &m->reservation},
                  {"linux.resources.memory.swap", &m->swap},
                  {"linux.resources.memory.kernel", &m->kernel},
                  {"linux.resources.memory.kernelTCP", &m->kernel_tcp}};
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(limits); i++)
        if (limits[i].value->set)
            r = check_range(limits[i].field, limits[i].value->value, -1, INT64_MAX, e);
    if (r == 0 && m->swappiness.set && m->swappiness.value > 100)
        r = error_set(e, -EINVAL, "linux.resources.memory.swappiness: %llu is not between 0 and 100",
                      (unsigned long long)m->swappiness.value);
    return r;
}

static int check_paths(const char *field, const struct strs *paths, struct error *e) {
    for (size_t i = 0; i < paths->n; i++)
        if (paths->v[i][0] != '/')
            return error_set(e, -EINVAL, "%s[%zu]: \"%s\" is not an absolute path", field, i, paths->v[i]);
    return 0;
}

static int check_rules(const struct list *rules, struct error *e) {
    for (size_t i = 0; i < rules->n; i++) {
        int r = check_rule(LIST_AT(struct oci_device_rule, rules, i), e);

        if (r < 0)
            return error_wrap(e, r, "linux.resources.devices[%zu]", i);
    }
    return 0;
}

int oci_check_resources(const struct oci_resources *r, struct error *e) {
    const struct list *weights = r && r->block_io ? &r->block_io->weight_device : NULL;
    int result = r ? check_rules(&r->devices, e) : 0;

    if (result == 0 && r && r->memory)
        result = check_memory(r->memory, e);
    if (result == 0 && r && r->pids && r->pids->limit.set)
        result = check_range("linux.resources.pids.limit", r->pids->limit.value, -1, INT64_MAX, e);
    if (result < 0)
        return result;
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

static int check_annotations(const struct map *annotations, struct error *e) {
    for (size_t i = 0; i < annotations->n; i++)
        if (!*annotations->v[i].key)
            return error_set(e, -EINVAL, "annotations: a key must not be empty");
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
        r = check_devices(&spec->linux_->devices, e);
    if (r == 0)
        r = oci_check_resources(spec->linux_->resources, e);
    if (r == 0)
        r = check_annotations(&spec->annotations, e);
    return r < 0 ? r : check_seccomp(spec->linux_->seccomp, e);
}
