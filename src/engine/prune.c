#include "engine/prune.h"

#include <string.h>

#include "base/clock.h"
#include "base/event_log.h"
#include "engine/list.h"
#include "engine/operate.h"
#include "engine/volume.h"
#include "network/manage.h"

static bool labels_fit(const struct prune_filter *f, const struct map *labels) {
    for (size_t i = 0; i < f->labels.n; i++)
        if (!map_fits(labels, f->labels.v[i]))
            return false;
    for (size_t i = 0; i < f->not_labels.n; i++)
        if (map_fits(labels, f->not_labels.v[i]))
            return false;
    return true;
}

static bool is_idle(enum container_status s) {
    return s == STATUS_CREATED || s == STATUS_EXITED || s == STATUS_DEAD;
}

int prune_containers(struct engine *engine, const struct prune_filter *f, struct arena *a, struct strs *ret, uint64_t *freed,
                     struct error *e) {
    struct list_query query = LIST_QUERY_INIT;
    struct list all = {0};
    int r;

    query.all = query.size = true;
    query.until = f->until;
    r = container_list(engine, &query, a, &all, e);
    for (size_t i = 0; r >= 0 && i < all.n; i++) {
        const struct container_summary *s = LIST_AT(struct container_summary, &all, i);

        if (!is_idle(s->status) || !labels_fit(f, &s->labels) || container_remove(engine, s->id, false, false, NULL) < 0)
            continue; /* one that was started or removed meanwhile is not ours any longer */
        strs_add(a, ret, s->id);
        *freed += s->size_rw;
    }
    if (r >= 0)
        event_tell(engine->roots->run_fd, "container", "prune", "", "reclaimed",
                   arena_printf(a, "%llu", (unsigned long long)*freed), (char *)NULL);
    return r < 0 ? r : 0;
}

int prune_networks(struct engine *engine, const struct prune_filter *f, struct arena *a, struct strs *ret, struct error *e) {
    struct list all = {0};
    int r = network_all(engine->roots, a, &all, e);

    for (size_t i = 0; r >= 0 && i < all.n; i++) {
        const struct network *n = LIST_AT(struct network, &all, i);
        struct timespec made;

        if (!network_is_dangling(n) || !labels_fit(f, &n->labels))
            continue;
        if (f->until && (time_parse(n->created, &made) < 0 || made.tv_sec >= f->until))
            continue;
        if (network_remove(engine->roots, n->name, NULL) == 0)
            strs_add(a, ret, n->name);
    }
    if (r >= 0)
        event_tell(engine->roots->run_fd, "network", "prune", "", "reclaimed", "0", (char *)NULL);
    return r < 0 ? r : 0;
}

int prune_volumes(struct engine *engine, const struct prune_filter *f, struct arena *a, struct strs *ret, uint64_t *freed,
                  struct error *e) {
    struct list all = {0};
    int r = volume_list(engine->roots, a, &all, e);

    for (size_t i = 0; r >= 0 && i < all.n; i++) {
        const struct volume *v = LIST_AT(struct volume, &all, i);
        struct strs users = {0};
        uint64_t size = 0;

        if ((!v->anonymous && !f->named_volumes) || !labels_fit(f, &v->labels))
            continue;
        r = volume_users(engine->roots, v->name, a, &users, e);
        if (r < 0 || users.n > 0)
            continue;
        (void)volume_size(engine->roots, v->name, &size, NULL);
        r = volume_remove(engine->roots, v->name, false, e);
        if (r == -EBUSY || r == -ENOENT) { /* taken or removed meanwhile */
            error_release(e);
            r = 0;
            continue;
        }
        if (r < 0)
            break;
        strs_add(a, ret, v->name);
        *freed += size;
    }
    if (r >= 0)
        event_tell(engine->roots->run_fd, "volume", "prune", "", "reclaimed", arena_printf(a, "%llu", (unsigned long long)*freed),
                   (char *)NULL);
    return r < 0 ? r : 0;
}
