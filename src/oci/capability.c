/* Capabilities that a bundle names and nobody can grant: unknown ones, those that this host's processes do not have, and those of
 * one set that another would have to hold, too (capabilities(7)). */
#include "kernel/capability.h"

#include "oci/oci.h"

static void keep(struct oci_call *call, const char *set, struct strs *names, uint64_t possible, uint64_t *ret_kept) {
    struct strs kept = {0};

    *ret_kept = 0;
    for (size_t i = 0; i < names->n; i++) {
        unsigned bit = 0;

        if (capability_parse(names->v[i], &bit, NULL) < 0 || !(possible & CAPABILITY_BIT(bit))) {
            strs_add(&call->arena, &call->warnings,
                     arena_printf(&call->arena, "process.capabilities.%s: %s cannot be granted and is left out", set, names->v[i]));
            continue;
        }
        *ret_kept |= CAPABILITY_BIT(bit);
        strs_add(&call->arena, &kept, names->v[i]);
    }
    *names = kept;
}

void oci_capabilities_fit(struct oci_call *call, bool user_namespace, struct oci_process *p) {
    struct oci_capabilities *c = p->capabilities;
    uint64_t all = user_namespace ? CAPABILITY_ALL : capability_kernel(), bounding, inheritable, permitted, ignored;

    if (!c)
        return;
    keep(call, "bounding", &c->bounding, all, &bounding);
    keep(call, "permitted", &c->permitted, all, &permitted);
    keep(call, "effective", &c->effective, permitted, &ignored);
    keep(call, "inheritable", &c->inheritable, bounding, &inheritable);
    keep(call, "ambient", &c->ambient, all,
         &ignored); /* those that are not inheritable, too, are passed over without a word: buildah */
}
