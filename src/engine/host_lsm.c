#include "engine/host_lsm.h"

#include <string.h>

#include "engine/spec_parts.h"
#include "kernel/lsm.h"
#include "kernel/selinux.h"

static int check_apparmor(const char *profile, struct error *e) {
    int r;

    if (!lsm_has_apparmor()) {
        error_set(e, -ENOTSUP, "--security-opt apparmor=%s: AppArmor is not enabled on this host", profile);
        return error_hint(e, "leave the option away, or say apparmor=unconfined");
    }
    if (strcmp(profile, APPARMOR_DEFAULT) == 0) /* ours, loaded when it is needed */
        return 0;
    r = apparmor_is_loaded(profile, NULL);
    if (r != 0)
        return 0; /* it is there; or who asks may not know: the kernel will tell */
    error_set(e, -ENOENT, "--security-opt apparmor=%s: no such profile is loaded", profile);
    return error_hint(e, "apparmor_parser -r FILE loads one");
}

static bool asks_for_label(const struct security_options *so) {
    for (size_t i = 0; i < LABEL_PARTS; i++)
        if (so->label[i])
            return !so->label_disabled;
    return false;
}

int host_lsm_check(const struct host_config *h, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct selinux_labels ignored;
    struct security_options so;
    int r = security_options_parse(&h->security_opt, &a, &so, e);

    if (r == 0 && so.apparmor && *so.apparmor)
        r = check_apparmor(so.apparmor, e);
    if (r == 0 && asks_for_label(&so) && !selinux_is_on()) {
        error_set(e, -ENOTSUP, "--security-opt label=…: SELinux is not enabled on this host");
        r = error_hint(e, "leave the option away, or say label=disable");
    }
    return r < 0 ? r : host_selinux(h, "", &a, &ignored, e);
}

const char *host_apparmor(const struct roots *roots, const struct host_config *h, bool load, struct arena *a) {
    struct security_options so;

    if (!lsm_has_apparmor() || security_options_parse(&h->security_opt, a, &so, NULL) < 0)
        return NULL;
    if (so.apparmor && !*so.apparmor)
        return NULL;
    if (so.apparmor && strcmp(so.apparmor, APPARMOR_DEFAULT) != 0)
        return so.apparmor;
    return roots->rootless || (h->privileged && !so.apparmor) ? NULL : apparmor_default(load);
}

/* ---- SELinux ---- */

/* `base` with the parts that are named in place of its own. */
static const char *context(const char *base, const char *const part[LABEL_TYPE + 1], const char *level, struct arena *a) {
    const char *own[LABEL_TYPE + 1];

    for (size_t i = 0; i <= LABEL_TYPE; i++) {
        size_t n = strcspn(base, ":");
        own[i] = part[i] ? part[i] : arena_strndup(a, base, n);
        base += n + (base[n] == ':');
    }
    return arena_printf(a, "%s:%s:%s:%s", own[LABEL_USER], own[LABEL_ROLE], own[LABEL_TYPE], level);
}

/* Categories that hardly any other container has (one of half a million pairs), the same at every start. */
static const char *level_of(const struct security_options *so, const char *id, struct arena *a) {
    uint32_t hash = 2166136261, first, second;

    if (so->label[LABEL_LEVEL])
        return so->label[LABEL_LEVEL];
    for (const char *s = id; *s; s++)
        hash = (hash ^ (unsigned char)*s) * 16777619;
    first = hash % 1024;
    second = hash / 1024 % 1023;
    second += second >= first;
    return *id ? arena_printf(a, "s0:c%u,c%u", MIN_OF(first, second), MAX_OF(first, second)) : "s0";
}

static const char *files_context(const struct security_options *so, const struct selinux_contexts *host, const char *level,
                                 struct arena *a) {
    const char *const part[LABEL_TYPE + 1] = {[LABEL_USER] = so->label[LABEL_USER], [LABEL_TYPE] = so->label[LABEL_FILE_TYPE]};

    return context(host->files, part, level, a);
}

int host_selinux(const struct host_config *h, const char *id, struct arena *a, struct selinux_labels *ret, struct error *e) {
    struct selinux_contexts host;
    struct security_options so;
    int r = security_options_parse(&h->security_opt, a, &so, e);

    *ret = (struct selinux_labels){0};
    if (r < 0 || !asks_for_label(&so) || !selinux_is_on())
        return r;
    r = selinux_contexts_read(&host, e);
    if (r < 0)
        return error_wrap(e, r, "--security-opt label=…");
    ret->process = context(host.process, so.label, level_of(&so, id, a), a);
    ret->files = files_context(&so, &host, level_of(&so, id, a), a);
    r = selinux_check(ret->process, e);
    if (r == 0)
        r = selinux_check(ret->files, e);
    return r < 0 ? error_wrap(e, r, "--security-opt label=…") : 0;
}

int host_selinux_of_volume(const struct host_config *h, const char *id, bool shared, struct arena *a, const char **ret,
                           struct error *e) {
    struct selinux_contexts host;
    struct security_options so;
    int r = security_options_parse(&h->security_opt, a, &so, e);

    *ret = NULL;
    if (r < 0 || so.label_disabled || !selinux_is_on())
        return r;
    r = selinux_contexts_read(&host, e);
    if (r < 0)
        return r;
    /* Without a label of its own a container has no categories, and what is its own is everybody's. */
    *ret = files_context(&so, &host, shared || !asks_for_label(&so) ? "s0" : level_of(&so, id, a), a);
    return selinux_check(*ret, e);
}
