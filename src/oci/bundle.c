/* A bundle: its config.json read, checked beyond the schema, and kept for later calls. */
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "model/security_defaults.h"
#include "oci/oci.h"

/* What a bundle may say relative to itself. A destination that lies below the root's own path is meant in the root, as runc has it.
 */
static void make_absolute(struct arena *a, const char *bundle, struct oci_spec *spec) {
    size_t root;

    if (spec->root && spec->root->path && spec->root->path[0] != '/')
        spec->root->path = arena_printf(a, "%s/%s", bundle, spec->root->path);
    root = spec->root && spec->root->path ? strlen(spec->root->path) : 0;
    for (size_t i = 0; i < spec->mounts.n; i++) {
        struct oci_mount *m = LIST_AT(struct oci_mount, &spec->mounts, i);
        bool bind = strs_has(&m->options, "bind") || strs_has(&m->options, "rbind");

        if (root > 1 && strncmp(m->destination, spec->root->path, root) == 0 && m->destination[root] == '/')
            m->destination += root;
        if (bind && m->source && m->source[0] != '/')
            m->source = arena_printf(a, "%s/%s", bundle, m->source);
    }
}

bool oci_keeps_groups(const struct oci_spec *spec) {
    return map_get(&spec->annotations, "run.oci.keep_original_groups");
}

static bool is_private(const struct oci_mount *m) {
    return m->type && strcmp(m->type, "tmpfs") == 0;
}

/* What the caller has for places that the bundle leaves to whoever comes, or fills with an empty tmpfs of the container's own. */
static void add_mounts(struct arena *a, const struct list *more, struct oci_spec *spec) {
    for (size_t i = 0; i < more->n; i++) {
        const struct oci_mount *m = LIST_AT(struct oci_mount, more, i);
        struct oci_mount *there = NULL;

        for (size_t k = 0; k < spec->mounts.n && !there; k++)
            if (strcmp(LIST_AT(struct oci_mount, &spec->mounts, k)->destination, m->destination) == 0)
                there = LIST_AT(struct oci_mount, &spec->mounts, k);
        if (!there)
            there = LIST_ADD(a, struct oci_mount, &spec->mounts);
        else if (!is_private(there))
            continue;
        *there = *m;
    }
}

struct word {
    const char *text;
    size_t key, place; /* bytes that make it the same as another; where it stands */
};

static int word_order(const void *a, const void *b) {
    const struct word *x = a, *y = b;
    int r = strncmp(x->text, y->text, MAX_OF(x->key, y->key));

    return r ? r : x->place < y->place ? -1 : 1;
}

/* Of words that are the same up to their key, the last one stays, where it is. Documents may have a million. */
static void words_once(struct arena *a, struct strs *s, size_t (*key)(const char *text)) {
    struct word *words = arena_array(a, struct word, s->n + 1);
    bool *again = arena_array(a, bool, s->n + 1);
    struct strs kept = {0};

    for (size_t i = 0; i < s->n; i++)
        words[i] = (struct word){s->v[i], key(s->v[i]), i};
    qsort(words, s->n, sizeof(*words), word_order);
    for (size_t i = 0; i + 1 < s->n; i++)
        again[words[i].place] = words[i].key == words[i + 1].key && strncmp(words[i].text, words[i + 1].text, words[i].key) == 0;
    for (size_t i = 0; i < s->n; i++)
        if (!again[i])
            strs_add(a, &kept, s->v[i]);
    *s = kept;
}

static size_t variable_key(const char *text) {
    return strcspn(text, "=") + 1;
}

static size_t whole_key(const char *text) {
    return strlen(text) + 1;
}

void oci_env_once(struct arena *a, struct strs *env) {
    words_once(a, env, variable_key);
}

/* The devices that the specification promises to every container (config-linux.md, "Default Devices") and its terminals stay
 * allowed after the bundle's own rules, and nodes of any kind may be made, as callers of runc are used to. */
static void allow_default_devices(struct arena *a, struct oci_resources *r) {
    static const struct {
        const char *type, *access;
        int major, minor;
    } rules[] = {
        {"c", "m", -1, -1}, {"b", "m", -1, -1}, {"c", "rwm", 1, 3}, {"c", "rwm", 1, 5}, {"c", "rwm", 1, 7},
        {"c", "rwm", 1, 8}, {"c", "rwm", 1, 9}, {"c", "rwm", 5, 0}, {"c", "rwm", 5, 2}, {"c", "rwm", 136, -1},
    };

    const bool rules_given = r && r->devices.n > 0;

    for (size_t i = 0; rules_given && i < ARRAY_SIZE(rules); i++) {
        struct oci_device_rule *rule = LIST_ADD(a, struct oci_device_rule, &r->devices);

        *rule = (struct oci_device_rule){.allow = true, .type = rules[i].type, .access = rules[i].access};
        rule->major = (struct opt_i64){rules[i].major >= 0, rules[i].major};
        rule->minor = (struct opt_i64){rules[i].minor >= 0, rules[i].minor};
    }
}

/* Does the container have a namespace of this type that is not the host's? One joined by a path may be just that. */
static bool has_own(const struct oci_spec *spec, const char *type, const char *name) {
    const struct oci_namespace *ns = oci_spec_namespace(spec, type);
    char path[32];
    struct stat theirs, ours;

    if (!ns || !ns->path || !*ns->path)
        return ns;
    (void)snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
    return stat(ns->path, &theirs) < 0 || stat(path, &ours) < 0 || theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev;
}

static int check_namespace(const struct oci_namespace *ns, struct error *e) {
    _cleanup_fd_ int fd = -1;

    if (!ns->path || !*ns->path)
        return 0;
    if (*ns->path != '/')
        return error_set(e, -EINVAL, "\"%s\" is not an absolute path", ns->path);
    fd = open(ns->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return error_errno(e, -errno, "open %s", ns->path);
    return ioctl(fd, NS_GET_NSTYPE) == (int)oci_namespace_flag(ns->type)
               ? 0
               : error_set(e, -EINVAL, "%s is not a namespace of type %s", ns->path, ns->type);
}

static int check_namespaces(const struct list *namespaces, struct error *e) {
    for (size_t i = 0; i < namespaces->n; i++) {
        int r = check_namespace(LIST_AT(struct oci_namespace, namespaces, i), e);

        if (r < 0)
            return error_wrap(e, r, "linux.namespaces[%zu].path", i);
    }
    return 0;
}

/* A setting that no namespace keeps would be the host's. */
static int check_sysctls(const struct oci_spec *spec, struct error *e) {
    const struct map *sysctl = &spec->linux_->sysctl;
    struct security_namespaces own;
    int r = 0;

    if (sysctl->n == 0)
        return 0;
    own = (struct security_namespaces){
        .net = has_own(spec, "network", "net"), .ipc = has_own(spec, "ipc", "ipc"), .uts = has_own(spec, "uts", "uts")};
    for (size_t i = 0; r == 0 && i < sysctl->n; i++)
        r = security_check_sysctl(sysctl->v[i].key, sysctl->v[i].value, &own, e);
    return r < 0 ? error_wrap(e, r, "linux.sysctl") : 0;
}

int oci_bundle_read(struct oci_call *call, struct oci_container *c, struct oci_spec *spec, struct error *e) {
    const char *bundle = call->o.bundle ? call->o.bundle : ".";
    _cleanup_buf_ struct buf text = BUF_INIT;
    _cleanup_fd_ int dir = fs_open_dir(AT_FDCWD, bundle, e);
    _cleanup_free_ char *path = dir < 0 ? NULL : fs_fd_path(dir);
    const struct oci_namespace *pids;
    int r;

    if (dir < 0)
        return error_wrap(e, dir, "open the bundle");
    r = fs_read_at(dir, call->o.config ? call->o.config : OCI_CONFIG_FILE, OCI_CONFIG_MAX, &text, e);
    if (r == 0)
        r = oci_spec_decode(buf_text(&text), text.size, &call->arena, spec, e);
    if (r == 0 && (!path || !spec->process || !spec->linux_))
        r = error_set(e, -EINVAL, "%s: process and linux are needed", OCI_CONFIG_FILE);
    if (r == 0)
        r = oci_check(spec, e);
    if (r == 0)
        r = oci_idmap_options(&call->arena, spec, e);
    if (r == 0)
        r = check_namespaces(&spec->linux_->namespaces, e);
    if (r == 0)
        r = check_sysctls(spec, e);
    if (r < 0)
        return r;
    add_mounts(&call->arena, &call->mounts, spec);
    make_absolute(&call->arena, path, spec);
    oci_env_once(&call->arena, &spec->process->env);
    words_once(&call->arena, &spec->linux_->masked_paths, whole_key);
    words_once(&call->arena, &spec->linux_->readonly_paths, whole_key);
    pids = oci_spec_namespace(spec, "pid");
    oci_capabilities_fit(call, oci_spec_namespace(spec, "user"), spec->process);
    allow_default_devices(&call->arena, spec->linux_->resources);
    c->state.bundle = arena_strdup(&call->arena, path);
    c->state.annotations = spec->annotations;
    c->state.own.rootfs = spec->root ? spec->root->path : NULL;
    c->state.own.shared_pids = !pids || (pids->path && *pids->path);
    c->state.own.poststart = spec->hooks && spec->hooks->poststart.n > 0;
    c->state.own.poststop = spec->hooks && spec->hooks->poststop.n > 0;
    return fs_replace_at(c->dir_fd, OCI_CONFIG_FILE, text.data, text.size, 0600, FS_NO_SYNC, e);
}
