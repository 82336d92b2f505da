#include "engine/list.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "engine/lookup.h"
#include "engine/orphan.h"
#include "engine/ports_shown.h"
#include "engine/summary_cache.h"
#include "image/image.h"
#include "kernel/cgroup.h"
#include "model/reference.h"
#include "model/units.h"
#include "network/port.h"

/* --- conditions ----------------------------------------------------------------------------------------------------------------
 */

static bool contains(const char *text, const char *part) {
    return strstr(text, part) != NULL;
}

static bool starts(const char *text, const char *part) {
    return strncmp(text, part, strlen(part)) == 0;
}

static bool equal(const char *text, const char *other) {
    return strcmp(text, other) == 0;
}

/* A name is shown without, and often asked for with a slash in front: Docker's API writes it so. */
static bool name_contains(const char *name, const char *part) {
    part += *part == '/';
    if (*part == '^')
        return part[strlen(part) - 1] == '$' ? strlen(name) == strlen(part) - 2 && strncmp(name, part + 1, strlen(name)) == 0
                                             : starts(name, part + 1);
    return contains(name, part);
}

static bool any_fits(const struct strs *wanted, const char *text, bool (*fits)(const char *, const char *)) {
    for (size_t i = 0; i < wanted->n; i++)
        if (fits(text, wanted->v[i]))
            return true;
    return wanted->n == 0;
}

static bool any_of_fits(const struct strs *wanted, const struct strs *texts, const struct strs *more) {
    for (size_t i = 0; i < wanted->n; i++)
        if (strs_has(texts, wanted->v[i]) || (more && strs_has(more, wanted->v[i])))
            return true;
    return wanted->n == 0;
}

/* "80" means 80/tcp; "80/udp", "8000-8010". */
static bool port_fits(const char *wanted, const struct strs *ports) {
    unsigned first, last, port;
    char protocol[8] = "tcp";

    if (sscanf(wanted, "%u-%u/%7s", &first, &last, protocol) < 2) {
        if (sscanf(wanted, "%u/%7s", &first, protocol) < 1)
            return false;
        last = first;
    }
    for (size_t i = 0; i < ports->n; i++) {
        char own[8] = "tcp";

        if (sscanf(ports->v[i], "%u/%7s", &port, own) >= 1 && port >= first && port <= last && strcmp(own, protocol) == 0)
            return true;
    }
    return false;
}

static bool ports_fit(const struct strs *wanted, const struct strs *ports) {
    for (size_t i = 0; i < wanted->n; i++)
        if (port_fits(wanted->v[i], ports))
            return true;
    return wanted->n == 0;
}

static bool labels_fit(const struct strs *wanted, const struct map *labels) {
    for (size_t i = 0; i < wanted->n; i++)
        if (!map_fits(labels, wanted->v[i]))
            return false;
    return true;
}

static bool exited_fits(const struct strs *wanted, const struct container_summary *s) {
    int64_t code;

    for (size_t i = 0; i < wanted->n; i++)
        if (s->status == STATUS_EXITED && int_parse(wanted->v[i], 0, INT32_MAX, &code) == 0 && code == s->exit_code)
            return true;
    return wanted->n == 0;
}

static bool network_fits(const struct strs *wanted, const struct container_summary *s) {
    return any_of_fits(wanted, &s->networks, NULL);
}

/* An ancestor is the image of the container, by name or id. */
static bool ancestor_fits(struct engine *engine, const struct strs *wanted, const struct container_summary *s, struct arena *a) {
    struct image_store *store;

    for (size_t i = 0; i < wanted->n; i++) {
        const char *id;

        if (strcmp(wanted->v[i], s->image) == 0)
            return true;
        if (engine_store(engine, &store, NULL) >= 0 && image_lookup(store, wanted->v[i], a, &id, NULL) >= 0 &&
            strcmp(id, s->image_id) == 0)
            return true;
    }
    return wanted->n == 0;
}

static bool fits(struct engine *engine, const struct list_query *q, const struct container_summary *s, struct arena *a) {
    bool alive = s->status == STATUS_RUNNING || s->status == STATUS_PAUSED || s->status == STATUS_RESTARTING;

    if (!q->all && q->last < 0 && q->statuses.n == 0 && q->exited.n == 0 && !alive)
        return false;
    return any_fits(&q->ids, s->id, starts) && any_fits(&q->names, s->name, name_contains) &&
           any_fits(&q->statuses, s->state_text, equal) && any_fits(&q->health, s->health, equal) && exited_fits(&q->exited, s) &&
           labels_fit(&q->labels, &s->labels) && any_of_fits(&q->volumes, &s->mounts, &s->mount_targets) &&
           network_fits(&q->networks, s) && ports_fit(&q->publish, &s->published) && ports_fit(&q->expose, &s->exposed) &&
           (!q->until || s->created_ns / NS_PER_SEC < q->until) && ancestor_fits(engine, &q->ancestors, s, a);
}

/* --- sizes ---------------------------------------------------------------------------------------------------------------------
 */

static int add_blocks(int dirfd, const char *name, void *arg, struct error *e) {
    uint64_t *total = arg;
    struct stat st;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0; /* gone meanwhile */
    *total += S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    if (S_ISDIR(st.st_mode))
        (void)fs_each(dirfd, name, add_blocks, total, e);
    return 0;
}

static void add_sizes(struct engine *engine, struct arena *a, struct container_summary *s) {
    struct image_store *store;
    struct image image;
    uint64_t copied = 0;

    (void)fs_each(engine->containers_fd, arena_printf(a, "%s/" CONTAINER_UPPER, s->id), add_blocks, &s->size_rw, NULL);
    (void)fs_each(engine->containers_fd, arena_printf(a, "%s/" CONTAINER_FILES, s->id), add_blocks, &copied, NULL);
    s->size_rw += copied;
    s->size_root = s->size_rw;
    if (s->image_id[0] && !copied && engine_store(engine, &store, NULL) >= 0 &&
        image_resolve(store, s->image_id, NULL, a, &image, NULL) >= 0)
        s->size_root += image.size;
}

/* --- the list --------------------------------------------------------------------------------------------------------------------
 */

struct walk {
    struct engine *engine;
    const struct list_query *query;
    struct arena *arena;
    struct summary_cache *cache;
    struct list *ret;
    struct list ports;     /* struct port_record */
    int64_t before, since; /* nanoseconds, as created_ns; 0 = any */
};

/* Opens the container and mends what a killed monitor left. False: it does not exist any more. */
static bool look_closely(struct engine *engine, const char *id, struct container_state *ret) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    _cleanup_arena_ struct arena a = ARENA_INIT;

    if (container_open_id(engine, id, &a, &c, NULL) < 0 || !orphan_look_after(engine, &c))
        return false;
    if (container_state(&c, ret, NULL) < 0)
        *ret = (struct container_state){.status = STATUS_DEAD};
    return true;
}

/* Processes in its group although nothing in the run directory tells of them? */
static bool runs_unknown(struct engine *engine, const struct container_summary *s) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const struct cgroup_layout *layout;
    const char *group;

    return engine_layout(engine, &layout, NULL) >= 0 &&
           cgroup_path(engine->roots->tag, s->cgroup_parent, s->id, &a, &group, NULL) >= 0 && cgroup_is_populated(layout, group);
}

static bool current_state(struct engine *engine, const struct container_summary *s, struct container_state *ret) {
    enum state_glance seen = state_glance(engine->containers_fd, engine->run_containers_fd, s->id, ret);

    if (seen == GLANCE_UNSURE || (s->auto_remove && ret->status == STATUS_EXITED) ||
        (seen == GLANCE_NO_RUN && runs_unknown(engine, s)))
        return look_closely(engine, s->id, ret);
    return true;
}

static void add_ports(const struct walk *w, struct container_summary *s) {
    struct list shown = {0};

    ports_shown(&w->ports, s->id, w->arena, &shown);
    s->ports = ports_text(&shown, &s->exposed, w->arena);
}

static int add_container(int dirfd _unused_, const char *name, void *arg, struct error *e _unused_) {
    const struct walk *w = arg;
    _cleanup_error_ struct error why = ERROR_INIT;
    struct container_state state;
    struct container_summary s;
    int r = id_is_full(name) ? summary_cache_get(w->cache, name, &s, &why) : -ENOENT;

    /* One torn container must not hide the others; -ENOENT: it is just being made or removed. */
    if (r < 0 && r != -ENOENT)
        log_warn("%s (tare system check)", why.text ? why.text : name);
    if (r < 0 || !current_state(w->engine, &s, &state))
        return 0;
    summary_add_state(&s, &state, w->arena);
    if (container_is_alive(&state))
        add_ports(w, &s);
    if (!fits(w->engine, w->query, &s, w->arena) || (w->before && s.created_ns >= w->before) ||
        (w->since && s.created_ns <= w->since))
        return 0;
    if (w->query->size)
        add_sizes(w->engine, w->arena, &s);
    *LIST_ADD(w->arena, struct container_summary, w->ret) = s;
    return 0;
}

static int newest_first(const void *a, const void *b) {
    const struct container_summary *x = a, *y = b;

    if (x->created_ns != y->created_ns)
        return x->created_ns < y->created_ns ? 1 : -1;
    return strcmp(x->id, y->id);
}

static int created_of(struct engine *engine, const char *text, struct arena *a, int64_t *ret, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct timespec created = {0};
    int r = container_open(engine, text, a, &c, e);

    if (r >= 0)
        (void)time_parse(c.record.created ? c.record.created : "", &created);
    *ret = created.tv_sec * NS_PER_SEC + created.tv_nsec;
    return r;
}

int container_list(struct engine *engine, const struct list_query *query, struct arena *a, struct list *ret, struct error *e) {
    struct walk w = {.engine = engine, .query = query, .arena = a, .ret = ret};
    int dir = engine_containers_dir(engine, e), run = engine_run_dir(engine, e), r;

    if (dir < 0 || run < 0)
        return dir < 0 ? dir : run;
    r = query->before ? created_of(engine, query->before, a, &w.before, e) : 0;

    if (r >= 0 && query->since)
        r = created_of(engine, query->since, a, &w.since, e);
    if (r < 0)
        return r;
    *ret = (struct list){0};
    w.cache = summary_cache_open(engine, a);
    (void)port_list(engine->roots, a, &w.ports, NULL);
    r = fs_each(dir, ".", add_container, &w, e);
    if (r < 0)
        return r;
    summary_cache_save(w.cache);
    if (ret->n > 1)
        qsort(ret->v, ret->n, sizeof(struct container_summary), newest_first);
    if (query->last >= 0 && ret->n > (size_t)query->last)
        ret->n = (size_t)query->last;
    return 0;
}
