#include "engine/inspect.h"

#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "engine/host_lsm.h"
#include "engine/inspect_network.h"
#include "engine/list.h"
#include "engine/log_options.h"
#include "runtime/health.h"
#include "runtime/log_reader.h"

/* --- the answer as structs ------------------------------------------------------------------------------------------------- */

struct health_log {
    const char *start, *end;
    int32_t exit_code;
    const char *output;
};
struct health_state {
    const char *status;
    uint32_t failing_streak;
    struct list log; /* struct health_log */
};
struct inspect_state {
    const char *status;
    bool running, paused, restarting, oom_killed, dead;
    int32_t pid, exit_code;
    const char *error, *started_at, *finished_at;
    struct health_state *health;
    bool exit_unknown;
};
struct graph_data {
    const char *lower_dir, *merged_dir, *upper_dir, *work_dir;
};
struct graph_driver {
    struct graph_data *data;
    const char *name;
};
struct inspect {
    const char *id, *created, *path;
    struct strs args;
    struct inspect_state state;
    const char *image, *resolv_conf, *hostname, *hosts, *log, *name;
    uint32_t restart_count;
    const char *driver, *platform, *mount_label, *process_label, *apparmor;
    struct strs exec_ids;
    struct host_config host;
    struct graph_driver graph;
    struct opt_i64 size_rw, size_root;
    struct list mounts;
    struct container_config config;
    struct network_settings network;
    struct list adjustments;
};

static const struct json_field health_log_fields[] = {
    JSON_FIELD(struct health_log, start, "Start", JSON_STR, 0),
    JSON_FIELD(struct health_log, end, "End", JSON_STR, 0),
    JSON_FIELD(struct health_log, exit_code, "ExitCode", JSON_I32, 0),
    JSON_FIELD(struct health_log, output, "Output", JSON_STR, 0),
    JSON_END,
};
static const struct json_table health_log_table = JSON_TABLE("health log", struct health_log, health_log_fields);

static const struct json_field health_state_fields[] = {
    JSON_FIELD(struct health_state, status, "Status", JSON_STR, 0),
    JSON_FIELD(struct health_state, failing_streak, "FailingStreak", JSON_U32, 0),
    JSON_FIELD_OF(struct health_state, log, "Log", JSON_OBJS, 0, &health_log_table),
    JSON_END,
};
static const struct json_table health_state_table = JSON_TABLE("health", struct health_state, health_state_fields);

static const struct json_field inspect_state_fields[] = {
    JSON_FIELD(struct inspect_state, status, "Status", JSON_STR, 0),
    JSON_FIELD(struct inspect_state, running, "Running", JSON_BOOL, 0),
    JSON_FIELD(struct inspect_state, paused, "Paused", JSON_BOOL, 0),
    JSON_FIELD(struct inspect_state, restarting, "Restarting", JSON_BOOL, 0),
    JSON_FIELD(struct inspect_state, oom_killed, "OOMKilled", JSON_BOOL, 0),
    JSON_FIELD(struct inspect_state, dead, "Dead", JSON_BOOL, 0),
    JSON_FIELD(struct inspect_state, pid, "Pid", JSON_I32, 0),
    JSON_FIELD(struct inspect_state, exit_code, "ExitCode", JSON_I32, 0),
    JSON_FIELD(struct inspect_state, error, "Error", JSON_STR, 0),
    JSON_FIELD(struct inspect_state, started_at, "StartedAt", JSON_STR, 0),
    JSON_FIELD(struct inspect_state, finished_at, "FinishedAt", JSON_STR, 0),
    JSON_FIELD_OF(struct inspect_state, health, "Health", JSON_OBJ_PTR, JSON_OMIT, &health_state_table),
    JSON_FIELD(struct inspect_state, exit_unknown, "TareExitUnknown", JSON_BOOL, JSON_OMIT),
    JSON_END,
};
static const struct json_table inspect_state_table = JSON_TABLE("state", struct inspect_state, inspect_state_fields);

static const struct json_field graph_data_fields[] = {
    JSON_FIELD(struct graph_data, lower_dir, "LowerDir", JSON_STR, 0),
    JSON_FIELD(struct graph_data, merged_dir, "MergedDir", JSON_STR, 0),
    JSON_FIELD(struct graph_data, upper_dir, "UpperDir", JSON_STR, 0),
    JSON_FIELD(struct graph_data, work_dir, "WorkDir", JSON_STR, 0),
    JSON_END,
};
static const struct json_table graph_data_table = JSON_TABLE("graph data", struct graph_data, graph_data_fields);
static const struct json_field graph_driver_fields[] = {
    JSON_FIELD_OF(struct graph_driver, data, "Data", JSON_OBJ_PTR, 0, &graph_data_table),
    JSON_FIELD(struct graph_driver, name, "Name", JSON_STR, 0),
    JSON_END,
};
static const struct json_table graph_driver_table = JSON_TABLE("graph driver", struct graph_driver, graph_driver_fields);

static const struct json_field inspect_fields[] = {
    JSON_FIELD(struct inspect, id, "Id", JSON_STR, 0),
    JSON_FIELD(struct inspect, created, "Created", JSON_STR, 0),
    JSON_FIELD(struct inspect, path, "Path", JSON_STR, 0),
    JSON_FIELD(struct inspect, args, "Args", JSON_STRS, 0),
    JSON_FIELD_OF(struct inspect, state, "State", JSON_OBJ, 0, &inspect_state_table),
    JSON_FIELD(struct inspect, image, "Image", JSON_STR, 0),
    JSON_FIELD(struct inspect, resolv_conf, "ResolvConfPath", JSON_STR, 0),
    JSON_FIELD(struct inspect, hostname, "HostnamePath", JSON_STR, 0),
    JSON_FIELD(struct inspect, hosts, "HostsPath", JSON_STR, 0),
    JSON_FIELD(struct inspect, log, "LogPath", JSON_STR, 0),
    JSON_FIELD(struct inspect, name, "Name", JSON_STR, 0),
    JSON_FIELD(struct inspect, restart_count, "RestartCount", JSON_U32, 0),
    JSON_FIELD(struct inspect, driver, "Driver", JSON_STR, 0),
    JSON_FIELD(struct inspect, platform, "Platform", JSON_STR, 0),
    JSON_FIELD(struct inspect, mount_label, "MountLabel", JSON_STR, 0),
    JSON_FIELD(struct inspect, process_label, "ProcessLabel", JSON_STR, 0),
    JSON_FIELD(struct inspect, apparmor, "AppArmorProfile", JSON_STR, 0),
    JSON_FIELD(struct inspect, exec_ids, "ExecIDs", JSON_STRS, JSON_NULL_EMPTY),
    JSON_FIELD_OF(struct inspect, host, "HostConfig", JSON_OBJ, 0, &host_config_table),
    JSON_FIELD_OF(struct inspect, graph, "GraphDriver", JSON_OBJ, 0, &graph_driver_table),
    JSON_FIELD(struct inspect, size_rw, "SizeRw", JSON_OPT_I64, JSON_OMIT),
    JSON_FIELD(struct inspect, size_root, "SizeRootFs", JSON_OPT_I64, JSON_OMIT),
    JSON_FIELD_OF(struct inspect, mounts, "Mounts", JSON_OBJS, 0, &mount_point_table),
    JSON_FIELD_OF(struct inspect, config, "Config", JSON_OBJ, 0, &container_config_table),
    JSON_FIELD_OF(struct inspect, network, "NetworkSettings", JSON_OBJ, 0, &network_settings_table),
    JSON_FIELD_OF(struct inspect, adjustments, "TareAdjustments", JSON_OBJS, JSON_OMIT, &adjustment_table),
    JSON_END,
};
const struct json_table container_inspect_table = JSON_TABLE("container", struct inspect, inspect_fields);

/* --- filling it ------------------------------------------------------------------------------------------------------------ */

static const char *time_text(struct timespec t, struct arena *a) {
    char text[TIME_TEXT_MAX] = "0001-01-01T00:00:00Z"; /* Go's zero time: never */
    if (t.tv_sec || t.tv_nsec)
        time_format(t, text);
    return arena_strdup(a, text);
}

static struct health_state *health_of(const struct container *c, const struct container_state *s, struct arena *a) {
    struct list entries = {0};
    if (s->health == HEALTH_NONE)
        return NULL;
    struct health_state *h = arena_new(a, struct health_state);
    h->status = health_text(s->health);
    h->failing_streak = s->health_failing_streak;
    (void)health_read(c->run_dirfd, a, &entries, NULL);
    for (size_t i = 0; i < entries.n; i++) {
        const struct health_entry *x = LIST_AT(struct health_entry, &entries, i);
        *LIST_ADD(a, struct health_log, &h->log) = (struct health_log){time_text(x->start, a), time_text(x->end, a), x->exit_code,
                                                                       arena_strndup(a, x->output, x->output_size)};
    }
    return h;
}

static void fill_state(const struct container *c, const struct container_state *s, struct arena *a, struct inspect_state *ret) {
    *ret = (struct inspect_state){.status = status_text(s->status),
                                  .running = container_is_alive(s) || s->status == STATUS_RESTARTING,
                                  .paused = s->status == STATUS_PAUSED,
                                  .restarting = s->status == STATUS_RESTARTING,
                                  .oom_killed = s->oom_killed,
                                  .dead = s->status == STATUS_DEAD,
                                  .pid = s->pid,
                                  .exit_code = s->exit_code,
                                  .error = arena_strdup(a, s->error),
                                  .started_at = time_text(s->started_at, a),
                                  .finished_at = time_text(s->finished_at, a),
                                  .health = health_of(c, s, a),
                                  .exit_unknown = s->exit_unknown};
}

static const char *join_paths(const struct strs *paths, struct arena *a) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    for (size_t i = 0; i < paths->n; i++)
        buf_printf(&out, "%s%s", i ? ":" : "", paths->v[i]);
    return arena_strdup(a, buf_text(&out));
}

static void fill_paths(const struct engine *engine, const struct container *c, struct arena *a, struct inspect *ret) {
    char room[128];
    struct monitor_log_options log = {0};
    struct selinux_labels selinux = {0};
    bool runs = c->run_dirfd >= 0;
    ret->apparmor = host_apparmor(engine->roots, &c->record.host, false, a);
    (void)host_selinux(&c->record.host, c->id, a, &selinux, NULL);
    ret->process_label = selinux.process ? selinux.process : "";
    ret->mount_label = selinux.files ? selinux.files : "";
    ret->resolv_conf = runs ? container_run_path(engine, c->id, "resolv.conf", a) : "";
    ret->hostname = runs ? container_run_path(engine, c->id, "hostname", a) : "";
    ret->hosts = runs ? container_run_path(engine, c->id, "hosts", a) : "";
    (void)log_options_fill(&c->record, a, &log, NULL);
    /* As Docker: the others' files are nobody's business. */
    const char *file = log.driver == LOG_JSON_FILE ? log_file_name(log.driver, c->id, room, sizeof(room)) : NULL;
    ret->log = file ? container_path(engine, c->id, file, a) : "";
    ret->graph.name = c->record.own_files ? "vfs" : "overlay2";
    if (c->record.own_files)
        return;
    ret->graph.data = arena_new(a, struct graph_data);
    *ret->graph.data = (struct graph_data){.lower_dir = join_paths(&c->record.layers, a),
                                           .merged_dir = "",
                                           .upper_dir = container_path(engine, c->id, "upper", a),
                                           .work_dir = container_path(engine, c->id, "work", a)};
}

/* What the request left open is shown as what it means, as Docker does. */
static void fill_defaults(struct inspect *x) {
    struct host_config *h = &x->host;
    if (!h->network_mode || !*h->network_mode || mode_is(h->network_mode, "default"))
        h->network_mode = NETWORK_DEFAULT;
    if (!h->log.type || !*h->log.type)
        h->log.type = "json-file";
    if (!h->ipc_mode || !*h->ipc_mode)
        h->ipc_mode = "private";
    if (!h->cgroupns_mode || !*h->cgroupns_mode)
        h->cgroupns_mode = "private";
    if (!h->runtime || !*h->runtime)
        h->runtime = "tare";
    if (!h->shm_size)
        h->shm_size = (int64_t)64 << 20;
    if (!h->restart.name)
        h->restart.name = "no";
}

int container_inspect(struct engine *engine, const struct container *c, bool size, struct arena *a, struct buf *out,
                      struct error *e) {
    const struct container_record *r = &c->record;
    struct container_state state;
    struct inspect *x = arena_new(a, struct inspect);
    int code = container_state(c, &state, e);
    if (code < 0)
        return code;
    x->id = r->id;
    x->created = r->created;
    x->path = r->path;
    x->args = r->args;
    x->image = r->image ? r->image : "";
    x->name = arena_printf(a, "/%s", r->name);
    x->restart_count = state.restart_count;
    x->driver = "overlay2";
    x->platform = r->platform ? r->platform : "linux";
    x->host = r->host;
    x->mounts = r->mounts;
    x->config = r->config;
    x->adjustments = r->adjustments;
    fill_state(c, &state, a, &x->state);
    fill_paths(engine, c, a, x);
    fill_defaults(x);
    code = inspect_network(engine, c, container_is_alive(&state), a, &x->network, e);
    if (code < 0)
        return code;
    if (size) {
        struct list_query q = {.all = true, .last = -1, .size = true};
        struct list found = {0};
        strs_add(a, &q.ids, c->id);
        code = container_list(engine, &q, a, &found, e);
        if (code < 0)
            return code;
        if (found.n == 1) {
            x->size_rw = (struct opt_i64){true, (int64_t)LIST_AT(struct container_summary, &found, 0)->size_rw};
            x->size_root = (struct opt_i64){true, (int64_t)LIST_AT(struct container_summary, &found, 0)->size_root};
        }
    }
    json_encode(&container_inspect_table, x, 4, out);
    return 0;
}
