/* crun's form of an idmapped mount, which Podman hands on: idmap=uids=FROM-TO-SIZE[#…];gids=…, each triplet an id of the file
 * system, the one of the host that it becomes, and how many. With @ before it, the host's is said as the container's. */
#include <string.h>

#include "oci/oci.h"

#define SIZE_OF_TRIPLET 3

static const struct oci_id_mapping *mapping_of(const struct list *maps, uint32_t id) {
    for (size_t i = 0; i < maps->n; i++) {
        const struct oci_id_mapping *m = LIST_AT(struct oci_id_mapping, maps, i);

        if (id >= m->container_id && id - m->container_id < m->size)
            return m;
    }
    return NULL;
}

/* One triplet at *text, which moves on behind it. */
static int take_triplet(const char **text, const struct list *container, struct oci_id_mapping *ret, struct error *e) {
    const bool relative = **text == '@';
    uint32_t *const to[SIZE_OF_TRIPLET] = {&ret->container_id, &ret->host_id, &ret->size};
    const struct oci_id_mapping *own;

    *text += relative;
    for (size_t i = 0; i < SIZE_OF_TRIPLET; i++) {
        char *end;
        unsigned long n = strtoul(*text, &end, 10);

        if (end == *text || **text == '-' || n > UINT32_MAX || (i + 1 < SIZE_OF_TRIPLET && *end != '-'))
            return error_set(e, -EINVAL, "\"%s\" is not of the form FROM-TO-SIZE", *text);
        *to[i] = (uint32_t)n;
        *text = end + (i + 1 < SIZE_OF_TRIPLET);
    }
    if (!relative)
        return 0;
    own = mapping_of(container, ret->container_id);
    if (!own)
        return error_set(e, -EINVAL, "the container's user namespace does not map %u", ret->container_id);
    ret->host_id += own->host_id - own->container_id;
    return 0;
}

static int take_triplets(struct arena *a, const char **text, const struct list *container, struct list *ret, struct error *e) {
    for (;;) {
        int r = take_triplet(text, container, LIST_ADD(a, struct oci_id_mapping, ret), e);

        if (r < 0 || **text != '#')
            return r;
        *text += 1;
    }
}

static int take_mappings(struct arena *a, const char *text, const struct oci_linux *l, struct oci_mount *m, struct error *e) {
    while (*text) {
        const bool uids = strncmp(text, "uids=", 5) == 0;
        int r;

        if (!uids && strncmp(text, "gids=", 5) != 0)
            return error_set(e, -EINVAL, "\"%s\" is neither uids=… nor gids=…", text);
        text += 5;
        r = uids ? take_triplets(a, &text, &l->uid_mappings, &m->uid_mappings, e)
                 : take_triplets(a, &text, &l->gid_mappings, &m->gid_mappings, e);
        if (r < 0)
            return r;
        if (*text && *text++ != ';')
            return error_set(e, -EINVAL, "uids=… and gids=… are parted by a semicolon");
    }
    return m->uid_mappings.n && m->gid_mappings.n ? 0 : error_set(e, -EINVAL, "uids=… and gids=… are both needed");
}

static int read_option(struct arena *a, const struct oci_linux *l, struct oci_mount *m, size_t i, struct error *e) {
    const char *option = m->options.v[i], *text = strstr(option, "idmap=");

    if (!text || text - option > 1 || (text != option && *option != 'r'))
        return 0;
    if (m->uid_mappings.n)
        return error_set(e, -EINVAL, "%s: the mount has mappings already", option);
    m->options.v[i] = text == option ? "idmap" : "ridmap";
    return take_mappings(a, text + strlen("idmap="), l, m, e);
}

int oci_idmap_options(struct arena *a, struct oci_spec *spec, struct error *e) {
    int r = 0;

    for (size_t i = 0; r == 0 && i < spec->mounts.n; i++) {
        struct oci_mount *m = LIST_AT(struct oci_mount, &spec->mounts, i);

        for (size_t k = 0; r == 0 && k < m->options.n; k++)
            r = read_option(a, spec->linux_, m, k, e);
        if (r < 0)
            return error_wrap(e, r, "mounts[%zu] (%s)", i, m->destination);
    }
    return r;
}
