#include "engine/list.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "image/image.h"
#include "model/reference.h"
#include "model/units.h"

/* --- words ------------------------------------------------------------------------------------------------------------------- */

static const char *ago(struct timespec since, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    duration_human(clock_wall().tv_sec - since.tv_sec, &text);
    return arena_strdup(a, buf_text(&text));
}

const char *container_status_text(const struct container_state *s, struct arena *a) {
    static const char *const health[] = {
        [HEALTH_NONE] = "",
        [HEALTH_STARTING] = " (health: starting)",
        [HEALTH_HEALTHY] = " (healthy)",
        [HEALTH_UNHEALTHY] = " (unhealthy)",
    };

    switch (s->status) {
    case STATUS_CREATED: return "Created";
    case STATUS_RUNNING: return arena_printf(a, "Up %s%s", ago(s->started_at, a), health[s->health]);
    case STATUS_PAUSED: return arena_printf(a, "Up %s (Paused)", ago(s->started_at, a));
    case STATUS_RESTARTING: return arena_printf(a, "Restarting (%d) %s ago", s->exit_code, ago(s->finished_at, a));
    case STATUS_EXITED: return arena_printf(a, "Exited (%d) %s ago", s->exit_code, ago(s->finished_at, a));
    case STATUS_DEAD: return "Dead";
    }
    return "";
}

static const char *command_text(const struct container_record *r, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    buf_add_str(&text, r->path ? r->path : "");
    for (size_t i = 0; i < r->args.n; i++)
        buf_printf(&text, " %s", r->args.v[i]);
    return arena_strdup(a, buf_text(&text));
}

/* What a running container publishes and exposes; nothing of it counts while it does not run. */
static const char *ports_text(const struct container_record *r, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    for (size_t i = 0; i < r->host.port_bindings.n; i++) {
        const struct json_objs *port = LIST_AT(struct json_objs, &r->host.port_bindings, i);

        for (size_t k = 0; k < port->items.n; k++) {
            const struct port_binding *b = LIST_AT(struct port_binding, &port->items, k);
            const char *ip = b->host_ip && *b->host_ip ? b->host_ip : NULL;

            if (ip)
                buf_printf(&text, "%s%s%s%s:%s->%s", text.size ? ", " : "", strchr(ip, ':') ? "[" : "", ip,
                           strchr(ip, ':') ? "]" : "", b->host_port, port->key);
            else
                buf_printf(&text, "%s0.0.0.0:%s->%s, [::]:%s->%s", text.size ? ", " : "", b->host_port, port->key, b->host_port,
                           port->key);
        }
    }
    for (size_t i = 0; i < r->config.exposed_ports.n; i++) {
        bool bound = false;

        for (size_t k = 0; k < r->host.port_bindings.n; k++)
            bound = bound || strcmp(LIST_AT(struct json_objs, &r->host.port_bindings, k)->key, r->config.exposed_ports.v[i]) == 0;
        if (!bound)
            buf_printf(&text, "%s%s", text.size ? ", " : "", r->config.exposed_ports.v[i]);
    }
    return arena_strdup(a, buf_text(&text));
}

static void add_networks(const struct container_record *r, struct arena *a, struct strs *ret) {
    const char *mode = r->host.network_mode;

    for (size_t i = 0; i < r->networking.endpoints.n; i++)
        strs_add(a, ret, LIST_AT(struct endpoint_settings, &r->networking.endpoints, i)->key);
    if (ret->n == 0 && mode && *mode)
        strs_add(a, ret, strcmp(mode, "default") == 0 ? "bridge" : mode);
}

static void add_mounts(const struct container_record *r, struct arena *a, struct container_summary *s) {
    for (size_t i = 0; i < r->mounts.n; i++) {
        const struct mount_point *m = LIST_AT(struct mount_point, &r->mounts, i);

        strs_add(a, &s->mounts, m->name ? m->name : m->source ? m->source : "");
        strs_add(a, &s->mount_targets, m->destination);
        s->volumes += m->name != NULL;
    }
}

static void summarize(const struct container *c, const struct container_state *state, struct arena *a,
                      struct container_summary *s) {
    const struct container_record *r = &c->record;
    struct timespec created = {0};

    (void)time_parse(r->created ? r->created : "", &created);
    *s = (struct container_summary){
        .id = arena_strdup(a, c->id),
        .name = r->name ? r->name : "",
        .image = r->config.image && *r->config.image ? r->config.image : "",
        .image_id = r->image ? r->image : "",
        .command = command_text(r, a),
        .created = created.tv_sec,
        .status = state->status,
        .state_text = status_text(state->status),
        .status_text = container_status_text(state, a),
        .health = health_text(state->health),
        .ports = container_is_alive(state) ? ports_text(r, a) : "",
        .platform = r->platform ? r->platform : "",
        .exit_code = state->exit_code,
        .labels = r->config.labels,
        .exposed = r->config.exposed_ports,
    };
    for (size_t i = 0; i < r->host.port_bindings.n; i++)
        strs_add(a, &s->published, LIST_AT(struct json_objs, &r->host.port_bindings, i)->key);
    add_networks(r, a, &s->networks);
    add_mounts(r, a, s);
}

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

static bool labels_fit(const struct strs *wanted, const struct map *labels, struct arena *a) {
    for (size_t i = 0; i < wanted->n; i++) {
        const char *equals = strchr(wanted->v[i], '='), *value;

        value = map_get(labels, equals ? arena_strndup(a, wanted->v[i], (size_t)(equals - wanted->v[i])) : wanted->v[i]);
        if (!value || (equals && strcmp(value, equals + 1) != 0))
            return false;
    }
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
           labels_fit(&q->labels, &s->labels, a) && any_of_fits(&q->volumes, &s->mounts, &s->mount_targets) &&
           network_fits(&q->networks, s) && ports_fit(&q->publish, &s->published) && ports_fit(&q->expose, &s->exposed) &&
           (!q->until || s->created < q->until) && ancestor_fits(engine, &q->ancestors, s, a);
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

static void add_sizes(struct engine *engine, const struct container *c, struct arena *a, struct container_summary *s) {
    struct image_store *store;
    struct image image;

    (void)fs_each(c->dirfd, "upper", add_blocks, &s->size_rw, NULL);
    s->size_root = s->size_rw;
    if (s->image_id[0] && engine_store(engine, &store, NULL) >= 0 && image_resolve(store, s->image_id, NULL, a, &image, NULL) >= 0)
        s->size_root += image.size;
}

/* --- the list --------------------------------------------------------------------------------------------------------------------
 */

struct walk {
    const struct list_query *query;
    struct arena *arena;
    struct list *ret;
    int64_t before, since; /* seconds; 0 = any */
    int r;
};

static int add_container(struct engine *engine, struct container *c, void *arg, struct error *e) {
    struct walk *w = arg;
    struct container_state state;
    struct container_summary s;

    if (container_state(c, &state, e) < 0) {
        error_release(e);
        state = (struct container_state){.status = STATUS_DEAD};
    }
    summarize(c, &state, w->arena, &s);
    if (!fits(engine, w->query, &s, w->arena) || (w->before && s.created >= w->before) || (w->since && s.created <= w->since))
        return 0;
    if (w->query->size)
        add_sizes(engine, c, w->arena, &s);
    *LIST_ADD(w->arena, struct container_summary, w->ret) = s;
    return 0;
}

static int newest_first(const void *a, const void *b) {
    const struct container_summary *x = a, *y = b;

    if (x->created != y->created)
        return x->created < y->created ? 1 : -1;
    return strcmp(x->id, y->id);
}

static int created_of(struct engine *engine, const char *text, struct arena *a, int64_t *ret, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct timespec created = {0};
    int r = container_open(engine, text, a, &c, e);

    if (r >= 0)
        (void)time_parse(c.record.created ? c.record.created : "", &created);
    *ret = created.tv_sec;
    return r;
}

int container_list(struct engine *engine, const struct list_query *query, struct arena *a, struct list *ret, struct error *e) {
    struct walk w = {.query = query, .arena = a, .ret = ret};
    int r = query->before ? created_of(engine, query->before, a, &w.before, e) : 0;

    if (r >= 0 && query->since)
        r = created_of(engine, query->since, a, &w.since, e);
    if (r < 0)
        return r;
    *ret = (struct list){0};
    r = container_each(engine, a, add_container, &w, e);
    if (r < 0)
        return r;
    if (ret->n > 1)
        qsort(ret->v, ret->n, sizeof(struct container_summary), newest_first);
    if (query->last >= 0 && ret->n > (size_t)query->last)
        ret->n = (size_t)query->last;
    return 0;
}
