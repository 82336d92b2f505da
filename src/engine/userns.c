#include "engine/userns.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "engine/rootfs.h"
#include "engine/userns_pool.h"
#include "image/image.h"
#include "model/user.h"
#include "model/userns_mode.h"
#include "runtime/rootless.h"

/* ROOT/containers/ID/userns: a symbolic link whose text is what was chosen, "UID GID SLOT SLOTS UIDS GIDS KEEPS KUID KGID OUID
 * OGID". Links of older engines end after SLOT: a slot of 65536 ids. */
#define LINK      "userns"
#define OLD_SIZE  65536U
#define OLD_WORDS 3
#define ALL_WORDS 11
#define NOBODY    65534U
#define IDS_MAX   65536U /* that passwd and group of an image may ask for */

struct choice {
    struct userns_range range;
    struct id_shift shift;
};

static struct userns_mode mode_of(const struct container_record *c) {
    struct userns_mode m = {0};

    (void)userns_mode_parse(c->host.userns_mode, &m, NULL); /* create has refused others */
    return m;
}

static bool kept(const struct engine *engine, const struct container_record *c, uint32_t *ret_uid, uint32_t *ret_gid) {
    const struct userns_mode m = mode_of(c);

    *ret_uid = m.has_uid ? m.uid : engine->roots->uid;
    *ret_gid = m.has_gid ? m.gid : engine->roots->gid;
    return m.kind == USERNS_KEEP_ID;
}

/* ---- What was chosen ---- */

static bool choice_read(const struct container *c, struct choice *ret) {
    struct userns_range *p = &ret->range;
    struct id_map *u = &ret->shift.uids, *g = &ret->shift.gids;
    char text[128];
    ssize_t n = readlinkat(c->dirfd, LINK, text, sizeof(text) - 1);
    int words;

    if (n <= 0)
        return false;
    text[n] = '\0';
    *ret = (struct choice){.range.slots = 1};
    u->size = g->size = OLD_SIZE;
    u->other = g->other = NOBODY;
    words = sscanf(text, "%u %u %u %u %u %u %u %u %u %u %u", &u->start, &g->start, &p->slot, &p->slots, &u->size, &g->size,
                   &u->keeps, &u->kept, &g->kept, &u->other, &g->other);
    if (words == OLD_WORDS)
        u->keeps = mode_of(&c->record).kind == USERNS_KEEP_ID;
    g->keeps = u->keeps;
    p->uid = u->start;
    p->gid = g->start;
    return words == OLD_WORDS || words == ALL_WORDS;
}

static int choice_write(const struct container *c, const struct choice *ch, struct error *e) {
    const struct id_map *u = &ch->shift.uids, *g = &ch->shift.gids;
    char text[128];

    (void)snprintf(text, sizeof(text), "%u %u %u %u %u %u %u %u %u %u %u", u->start, g->start, ch->range.slot, ch->range.slots,
                   u->size, g->size, u->keeps, u->kept, g->kept, u->other, g->other);
    return symlinkat(text, c->dirfd, LINK) < 0 ? error_errno(e, -errno, "write down the container's ids") : 0;
}

/* ---- Choosing ---- */

/* The largest id in lines "name:x:ID:…", but nobody's. */
static uint32_t largest_id(const struct strs *dirs, const char *path) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    uint32_t largest = 0;

    if (rootfs_read(dirs, path, USER_FILE_MAX, &text) < 0)
        return 0;
    for (const char *line = buf_text(&text); *line; line += strcspn(line, "\n"), line += *line == '\n') {
        unsigned long id = 0;

        if (sscanf(line, "%*[^:\n]:%*[^:\n]:%lu", &id) == 1 && id < IDS_MAX && id != NOBODY)
            largest = MAX_OF(largest, (uint32_t)id);
    }
    return largest;
}

/* How many ids the users of the image and the container's own make use of. */
static uint32_t ids_wanted(struct engine *engine, const struct container *c, struct arena *a) {
    _cleanup_buf_ struct buf passwd = BUF_INIT, group = BUF_INIT;
    const char *user = c->record.config.user;
    struct strs dirs = {0};
    struct identity id;
    uint32_t largest;

    container_rootfs_dirs(engine, &c->record, a, &dirs);
    largest = MAX_OF(largest_id(&dirs, "/etc/passwd"), largest_id(&dirs, "/etc/group"));
    (void)rootfs_read(&dirs, "/etc/passwd", USER_FILE_MAX, &passwd);
    (void)rootfs_read(&dirs, "/etc/group", USER_FILE_MAX, &group);
    if (user && *user && identity_resolve(user, &c->record.host.group_add, buf_text(&passwd), buf_text(&group), a, &id, NULL) == 0)
        largest = MAX_OF(largest, MIN_OF(MAX_OF(id.uid, id.gid), IDS_MAX - 1));
    return largest + 1;
}

/* An id that nobody inside has: the place that the kept one leaves in the range, else somebody outside of all ranges. */
static void choose_other(const struct roots *roots, struct id_map *m) {
    m->other = m->keeps && m->kept < m->size ? m->start + m->kept : roots->rootless ? 0 : NOBODY;
}

static int choose(struct engine *engine, const struct container *c, struct choice *ret, struct error *e) {
    const struct roots *roots = engine->roots;
    const struct userns_mode m = mode_of(&c->record);
    const uint32_t slot_size = userns_pool_slot_size(engine);
    struct id_map *u = &ret->shift.uids, *g = &ret->shift.gids;
    _cleanup_arena_ struct arena a = ARENA_INIT;
    uint32_t uid, gid;
    int r = 0;

    *ret = (struct choice){0};
    if (roots->rootless && (roots->uids < 2 || roots->gids < 2)) {
        const char *why = rootless_why_single(roots->uid, &a);

        error_set(e, -EOPNOTSUPP, "only your own id can be inside a container: a user namespace of its own needs more");
        return why ? error_hint(e, "%s", why) : -EOPNOTSUPP;
    }
    if (roots->rootless && m.kind != USERNS_AUTO) {
        u->start = g->start = 1;
        u->size = roots->uids - 1;
        g->size = roots->gids - 1;
    } else {
        uint32_t wanted = m.size ? m.size : roots->rootless ? ids_wanted(engine, c, &a) : slot_size;
        uint32_t slots = wanted / slot_size + (wanted % slot_size != 0);

        r = userns_pool_take(engine, c->id, slots, &ret->range, e);
        u->start = ret->range.uid;
        g->start = ret->range.gid;
        u->size = g->size = m.size ? m.size : slots * slot_size;
    }
    u->keeps = g->keeps = kept(engine, &c->record, &uid, &gid);
    if (u->keeps) {
        u->kept = uid;
        g->kept = gid;
    }
    choose_other(roots, u);
    choose_other(roots, g);
    return r;
}

static int choice_get(struct engine *engine, const struct container *c, struct choice *ret, struct error *e) {
    int r = choice_read(c, ret) ? 0 : choose(engine, c, ret, e);

    if (r == 0 && faccessat(c->dirfd, LINK, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        r = choice_write(c, ret, e);
    return r < 0 ? error_wrap(e, r, "--userns %s", c->record.host.userns_mode) : r;
}

int userns_reserve(struct engine *engine, const struct container *c, struct arena *a, struct journal *j, struct error *e) {
    struct choice choice;
    int r;

    if (mode_of(&c->record).kind == USERNS_HOST)
        return 0;
    r = choice_get(engine, c, &choice, e);
    if (r == 0)
        userns_pool_journal(engine, &choice.range, a, j);
    return r;
}

bool userns_kept(const struct engine *engine, const struct container *c, uint32_t *ret_uid, uint32_t *ret_gid) {
    return kept(engine, &c->record, ret_uid, ret_gid);
}

void userns_default_user(const struct engine *engine, struct arena *a, struct container_record *c) {
    uint32_t uid, gid;

    if (kept(engine, c, &uid, &gid) && (!c->config.user || !*c->config.user) && (uid || gid))
        c->config.user = arena_printf(a, "%u:%u", uid, gid);
}

/* ---- Maps ---- */

struct id_shift userns_shift(const struct container *c) {
    struct choice choice;

    if (mode_of(&c->record).kind == USERNS_HOST || !choice_read(c, &choice))
        return (struct id_shift){0};
    return choice.shift;
}

/* For id_inside(): 0 becomes the kept id, all others stay. */
struct id_shift userns_host_in(const struct container *c) {
    struct id_shift s = userns_shift(c);

    if (!s.uids.keeps)
        return (struct id_shift){0};
    s.uids = (struct id_map){.start = UINT32_MAX, .size = 1, .keeps = true, .kept = s.uids.kept};
    s.gids = (struct id_map){.start = UINT32_MAX, .size = 1, .keeps = true, .kept = s.gids.kept};
    return s;
}

/* For id_outside(): the kept id becomes 0, all others stay. */
struct id_shift userns_host_out(const struct container *c) {
    struct id_shift s = userns_shift(c);

    if (!s.uids.keeps)
        return (struct id_shift){0};
    s.uids = (struct id_map){.size = UINT32_MAX, .keeps = true, .kept = s.uids.kept};
    s.gids = (struct id_map){.size = UINT32_MAX, .keeps = true, .kept = s.gids.kept};
    return s;
}

static void add_part(struct arena *a, struct list *maps, uint32_t inside, uint32_t outside, uint32_t size) {
    if (size)
        *LIST_ADD(a, struct oci_id_mapping, maps) = (struct oci_id_mapping){inside, outside, size};
}

static struct list map_parts(const struct id_map *m, struct arena *a) {
    uint32_t below = m->keeps ? MIN_OF(m->kept, m->size) : m->size;
    struct list parts = {0};

    add_part(a, &parts, 0, m->start, below);
    if (m->keeps)
        add_part(a, &parts, m->kept, 0, 1);
    if (m->keeps && m->kept < m->size)
        add_part(a, &parts, m->kept + 1, m->start + m->kept + 1, m->size - m->kept - 1);
    return parts;
}

static const char *map_text(const struct id_map *m, struct arena *a) {
    const struct list parts = map_parts(m, a);
    const char *text = "";

    for (size_t i = 0; i < parts.n; i++) {
        const struct oci_id_mapping *p = LIST_AT(struct oci_id_mapping, &parts, i);

        text = arena_printf(a, "%s%u %u %u\n", text, p->container_id, p->host_id, p->size);
    }
    return text;
}

void userns_map_texts(const struct engine *engine, const struct container *c, struct arena *a, const char **ret_uids,
                      const char **ret_gids) {
    const struct id_shift s = userns_shift(c);
    bool mounts = id_shift_is_any(&s) && !engine->roots->rootless;

    *ret_uids = mounts ? map_text(&s.uids, a) : NULL;
    *ret_gids = mounts ? map_text(&s.gids, a) : NULL;
}

int userns_maps(struct engine *engine, const struct container *c, struct arena *a, struct spec_input *input, struct error *e) {
    const char *mode = c->record.host.userns_mode;
    const struct spec_shared *s = &input->shared;
    struct choice choice;
    int r;

    if (mode_of(&c->record).kind == USERNS_HOST)
        return 0;
    if (s->network || s->network_path || s->ipc || s->pid || s->uts || s->cgroup)
        return error_set(e, -EOPNOTSUPP, "--userns %s: namespaces of others cannot be entered from a user namespace of its own",
                         mode);
    r = choice_get(engine, c, &choice, e);
    if (r < 0)
        return r;
    input->id_maps_uid = map_parts(&choice.shift.uids, a);
    input->id_maps_gid = map_parts(&choice.shift.gids, a);
    input->shifts_mounts = !engine->roots->rootless;
    return 0;
}

/* ---- Files ---- */

int userns_layers(struct engine *engine, const struct container *c, bool make, struct arena *a, struct strs *ret, struct error *e) {
    const struct id_shift s = userns_shift(c);
    struct image_store *store;
    int r;

    *ret = c->record.layers;
    if (c->record.own_files)
        *ret = (struct strs){0};
    if (!id_shift_is_any(&s) || !engine->roots->rootless || c->record.own_files || !c->record.image)
        return 0;
    r = engine_store(engine, &store, e);
    return r < 0 ? r : image_shifted_layers(store, c->record.image, &s, make, a, ret, e);
}
