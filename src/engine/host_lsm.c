#include "engine/host_lsm.h"

#include <string.h>

#include "engine/spec_parts.h"
#include "kernel/lsm.h"

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

int host_lsm_check(const struct host_config *h, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct security_options so;
    int r = security_options_parse(&h->security_opt, &a, &so, e);

    if (r == 0 && so.apparmor && *so.apparmor)
        r = check_apparmor(so.apparmor, e);
    if (r == 0 && so.label && !lsm_has_selinux()) {
        error_set(e, -ENOTSUP, "--security-opt label=…: SELinux is not enabled on this host");
        r = error_hint(e, "leave the option away, or say label=disable");
    }
    return r;
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
