#include "engine/summary.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "model/units.h"

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
        buf_printf(&text, strchr(r->args.v[i], ' ') ? " '%s'" : " %s", r->args.v[i]);
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

void summary_of_record(const char *id, const struct container_record *r, struct arena *a, struct container_summary *s) {
    struct timespec created = {0};

    (void)time_parse(r->created ? r->created : "", &created);
    *s = (struct container_summary){
        .id = arena_strdup(a, id),
        .name = r->name ? r->name : "",
        .image = r->config.image && *r->config.image ? r->config.image : "",
        .image_id = r->image ? r->image : "",
        .command = command_text(r, a),
        .created_ns = created.tv_sec * NS_PER_SEC + created.tv_nsec,
        .ports = "",
        .platform = r->platform ? r->platform : "",
        .cgroup_parent = r->host.cgroup_parent ? r->host.cgroup_parent : "",
        .auto_remove = r->host.auto_remove,
        .labels = r->config.labels,
        .exposed = r->config.exposed_ports,
    };
    for (size_t i = 0; i < r->host.port_bindings.n; i++)
        strs_add(a, &s->published, LIST_AT(struct json_objs, &r->host.port_bindings, i)->key);
    add_networks(r, a, &s->networks);
    add_mounts(r, a, s);
}

void summary_add_state(struct container_summary *s, const struct container_state *state, struct arena *a) {
    s->status = state->status;
    s->state_text = status_text(state->status);
    s->status_text = container_status_text(state, a);
    s->health = health_text(state->health);
    s->exit_code = state->exit_code;
}
