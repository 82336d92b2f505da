/* What is told of containers: state, list, ps. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/tabs.h"
#include "oci/oci.h"
#include "runtime/processes.h"

#define LIST_WIDTH 12 /* of a column, as runc has it */

/* A container as callers see it: the members of the specification, and those that runc has beside them. */
struct shown {
    const char *oci_version, *id;
    int32_t pid;
    const char *status, *bundle, *rootfs, *created;
    struct map annotations;
    const char *owner;
};
static const struct json_field shown_fields[] = {
    JSON_FIELD(struct shown, oci_version, "ociVersion", JSON_STR, 0),
    JSON_FIELD(struct shown, id, "id", JSON_STR, 0),
    JSON_FIELD(struct shown, pid, "pid", JSON_I32, 0),
    JSON_FIELD(struct shown, status, "status", JSON_STR, 0),
    JSON_FIELD(struct shown, bundle, "bundle", JSON_STR, 0),
    JSON_FIELD(struct shown, rootfs, "rootfs", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct shown, created, "created", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct shown, annotations, "annotations", JSON_MAP, JSON_OMIT),
    JSON_FIELD(struct shown, owner, "owner", JSON_STR, 0),
    JSON_END,
};
static const struct json_table shown_table = JSON_TABLE("state", struct shown, shown_fields);

static struct shown show(struct oci_call *call, const struct oci_container *c) {
    const struct oci_state *s = &c->state;
    struct stat st = {0};

    (void)fstat(c->dir_fd, &st);
    return (struct shown){s->oci_version, s->id,          s->pid,
                          s->status,      s->bundle,      s->own.rootfs,
                          s->own.created, s->annotations, processes_user(st.st_uid, &call->arena)};
}

int oci_state_show(struct oci_call *call, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    int r = oci_open_argument(call, 1, &c, e);
    struct shown s;

    if (r < 0)
        return r;
    s = show(call, &c);
    json_encode(&shown_table, &s, 0, &call->out);
    buf_add_char(&call->out, '\n');
    return 0;
}

static int wants_json(const struct oci_options *o, struct error *e) {
    if (!o->format || strcmp(o->format, "table") == 0)
        return 0;
    return strcmp(o->format, "json") == 0 ? 1 : error_set(e, -EINVAL, "invalid format option: --format is table or json");
}

struct listing {
    struct oci_call *call;
    const char *separator; /* of JSON; NULL: a table */
    struct buf table;
    struct strs names;
};

static int note_name(int dirfd, const char *name, void *arg, struct error *e) {
    struct listing *l = arg;

    (void)dirfd;
    (void)e;
    strs_add(&l->call->arena, &l->names, arena_strdup(&l->call->arena, name));
    return 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void list_one(struct listing *l, const char *name) {
    struct oci_call *call = l->call;
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    _cleanup_error_ struct error damaged = ERROR_INIT;
    struct shown s;
    int r;

    r = oci_container_open(call, name, &c, &damaged);
    if (r < 0 && r != -ENOENT)
        oci_warn(call, &damaged);
    if (r < 0)
        return;
    s = show(call, &c);
    if (call->o.quiet) {
        buf_printf(&call->out, "%s\n", name);
    } else if (l->separator) {
        buf_add_str(&call->out, l->separator);
        json_encode(&shown_table, &s, 0, &call->out);
        l->separator = ",";
    } else {
        buf_printf(&l->table, "%s\t%d\t%s\t%s\t%s\t%s\n", name, s.pid, s.status, s.bundle, s.created ? s.created : "", s.owner);
    }
}

int oci_list(struct oci_call *call, struct error *e) {
    int json = wants_json(&call->o, e);
    struct listing l = {.call = call, .separator = json > 0 ? "" : NULL, .table = BUF_INIT};
    const bool quiet = call->o.quiet;
    int r;

    if (json < 0)
        return json;
    if (call->o.args.n)
        return error_set(e, -EINVAL, "list: no argument is expected");
    if (!quiet)
        buf_add_str(json ? &call->out : &l.table, json ? "[" : "ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER\n");
    r = fs_each(AT_FDCWD, oci_root(&call->o), note_name, &l, e);
    if (r == -ENOENT && !call->o.root) { /* no container was made yet */
        error_release(e);
        r = 0;
    }
    if (l.names.n > 1)
        qsort(l.names.v, l.names.n, sizeof(*l.names.v), by_name);
    for (size_t i = 0; i < l.names.n; i++)
        list_one(&l, l.names.v[i]);
    if (!quiet && json)
        buf_add_str(&call->out, "]\n");
    else if (!quiet)
        tabs_align(buf_text(&l.table), LIST_WIDTH, &call->out);
    buf_release(&l.table);
    return r;
}

static void add_pids(const struct list *pids, struct buf *out) {
    buf_add_char(out, '[');
    for (size_t i = 0; i < pids->n; i++)
        buf_printf(out, "%s%d", i ? "," : "", *LIST_AT(pid_t, pids, i));
    buf_add_str(out, "]\n");
}

int oci_ps(struct oci_call *call, struct error *e) {
    const struct strs options = {call->o.args.v + 1, call->o.args.n ? call->o.args.n - 1 : 0};
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    struct list pids = {0}, columns = {0}, processes = {0};
    struct cgroup_layout layout;
    int json = wants_json(&call->o, e);
    int r = json < 0 ? json : oci_open_argument(call, SIZE_MAX, &c, e);

    if (r == 0)
        r = processes_columns(&options, &call->arena, &columns, e);
    if (r >= 0)
        r = oci_container_layout(&c, &layout, e);
    if (r == 0)
        r = cgroup_pids(&layout, c.state.own.cgroup, &call->arena, &pids, e);
    if (r < 0)
        return r;
    if (json) {
        add_pids(&pids, &call->out);
        return 0;
    }
    processes_read(&pids, &call->arena, &processes);
    processes_table(&columns, &processes, &call->arena, LIST_WIDTH, &call->out);
    return 0;
}
