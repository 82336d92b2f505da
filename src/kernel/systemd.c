#include "kernel/systemd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernel/dbus.h"

#define PRIVATE_SOCKET  "/run/systemd/private" /* root's own way to PID 1, without a bus between */
#define BUS_SOCKET      "/run/dbus/system_bus_socket"
#define TIMEOUT_MS      30000
#define SOCKET_PATH_MAX 108
#define JOB_PATH_MAX    128
#define END_STEP_NS     10000000 /* between two looks whether a scope has ended */
#define END_STEPS       100
#define MANAGER         "org.freedesktop.systemd1"
#define NO_SUCH_UNIT    MANAGER ".NoSuchUnit"
#define UNIT_EXISTS     MANAGER ".UnitExists"

/* ---- Connecting ---- */

/* Anybody whose namespace does not have all ids is no root of the host. */
bool systemd_is_users(void) {
    unsigned inside = 0, outside = 0, count = 0;
    _cleanup_fd_ int fd = geteuid() == 0 ? open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC) : -1;
    char text[64];
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = '\0';
    return sscanf(text, "%u %u %u", &inside, &outside, &count) != 3 || inside || outside || count != UINT32_MAX;
}

static bool runtime_path(const char *name, char ret[SOCKET_PATH_MAX]) {
    const char *dir = getenv("XDG_RUNTIME_DIR");

    return dir && dir[0] == '/' && snprintf(ret, SOCKET_PATH_MAX, "%s/%s", dir, name) < SOCKET_PATH_MAX;
}

/* The manager's own socket, which no bus is between. */
static bool private_socket(char ret[SOCKET_PATH_MAX]) {
    return systemd_is_users() ? runtime_path("systemd/private", ret) : snprintf(ret, SOCKET_PATH_MAX, PRIVATE_SOCKET) > 0;
}

/* Of a user's bus, the address is that of his session ("unix:path=/run/user/1000/bus,guid=…"), or else the usual one. */
static bool bus_socket(char ret[SOCKET_PATH_MAX]) {
    static const char scheme[] = "unix:path=";
    const char *address = getenv("DBUS_SESSION_BUS_ADDRESS");

    if (!systemd_is_users())
        return snprintf(ret, SOCKET_PATH_MAX, BUS_SOCKET) > 0;
    if (!address || strncmp(address, scheme, strlen(scheme)) != 0)
        return runtime_path("bus", ret);
    address += strlen(scheme);
    return snprintf(ret, SOCKET_PATH_MAX, "%.*s", (int)strcspn(address, ",;"), address) < SOCKET_PATH_MAX;
}

bool systemd_is_there(void) {
    char path[SOCKET_PATH_MAX];

    if (!systemd_is_users())
        return access("/run/systemd/system", F_OK) == 0; /* sd_booted(3) */
    return (private_socket(path) && access(path, F_OK) == 0) || (runtime_path("systemd", path) && access(path, F_OK) == 0);
}

static int bus_call(struct dbus *d, const char *member, const char *text, struct error *e) {
    _cleanup_buf_ struct buf body = BUF_INIT;
    struct dbus_message reply;

    if (text)
        dbus_put_string(&body, text);
    return dbus_call(d,
                     &(struct dbus_call){.destination = "org.freedesktop.DBus",
                                         .path = "/org/freedesktop/DBus",
                                         .interface = "org.freedesktop.DBus",
                                         .member = member,
                                         .signature = text ? "s" : NULL,
                                         .body = text ? &body : NULL},
                     &reply, e);
}

static int manager_call(struct dbus *d, const char *member, const char *signature, const struct buf *body,
                        struct dbus_message *reply, struct error *e) {
    return dbus_call(d,
                     &(struct dbus_call){.destination = MANAGER,
                                         .path = "/org/freedesktop/systemd1",
                                         .interface = MANAGER ".Manager",
                                         .member = member,
                                         .signature = signature,
                                         .body = body},
                     reply, e);
}

/* Over the bus one has to say hello, and what one wants to hear; the private socket tells everything. */
static int open_bus(struct dbus *d, struct error *e) {
    struct dbus_message reply;
    char path[SOCKET_PATH_MAX];
    int r = bus_socket(path) ? dbus_open(path, TIMEOUT_MS, d, e) : error_set(e, -ENOENT, "XDG_RUNTIME_DIR is not set");

    if (r == 0)
        r = bus_call(d, "Hello", NULL, e);
    if (r == 0)
        r = bus_call(d, "AddMatch", "type='signal',sender='" MANAGER "',member='JobRemoved'", e);
    return r < 0 ? r : manager_call(d, "Subscribe", NULL, NULL, &reply, e);
}

static int open_manager(struct dbus *d, struct error *e) {
    char path[SOCKET_PATH_MAX];
    int r;

    if (!systemd_is_there())
        return error_hint((error_set(e, -ENOTSUP,
                                     systemd_is_users() ? "no systemd of this user's own runs (systemctl --user)"
                                                        : "systemd does not run on this host"),
                           e),
                          "without it, the caller's cgroup driver has to be cgroupfs");
    r = private_socket(path) ? dbus_open(path, TIMEOUT_MS, d, e) : -ENOENT;
    if (r == -ENOENT || r == -ECONNREFUSED) {
        error_release(e);
        r = open_bus(d, e);
    }
    return r < 0 ? error_wrap(e, r, "reach systemd") : 0;
}

/* ---- Jobs: what systemd answers is only that it will be done. ---- */

struct job {
    const char *unit;
    char path[JOB_PATH_MAX]; /* "" while not yet known */
    char result[32];         /* "" while it runs */
};

/* JobRemoved(id, job, unit, result). systemd sends it behind the answer that names the job. */
static void on_signal(const struct dbus_message *m, void *arg) {
    struct job *job = arg;
    struct dbus_reader body = m->body;
    const char *path, *unit, *result;

    if (strcmp(m->member, "JobRemoved") != 0 || strcmp(m->signature, "uoss") != 0)
        return;
    (void)dbus_get_u32(&body);
    path = dbus_get_string(&body);
    unit = dbus_get_string(&body);
    result = dbus_get_string(&body);
    if (!body.failed && strcmp(path, job->path) == 0 && strcmp(unit, job->unit) == 0)
        (void)snprintf(job->result, sizeof(job->result), "%s", result);
}

static int job_run(struct dbus *d, struct job *job, const char *member, const char *signature, const struct buf *body,
                   const char **ret_error_name, struct error *e) {
    struct dbus_message reply;
    int r;

    d->on_signal = on_signal;
    d->on_signal_arg = job;
    r = manager_call(d, member, signature, body, &reply, e);
    *ret_error_name = reply.error_name;
    if (r < 0)
        return r;
    (void)snprintf(job->path, sizeof(job->path), "%s", strcmp(reply.signature, "o") == 0 ? dbus_get_string(&reply.body) : "");
    while (r == 0 && !*job->result)
        r = dbus_wait(d, e);
    if (r < 0)
        return error_wrap(e, r, "wait for systemd's job");
    return strcmp(job->result, "done") == 0 ? 0 : error_set(e, -EREMOTEIO, "%s: the job of systemd ended: %s", member, job->result);
}

/* ---- Properties ---- */

static void put_value(struct buf *b, const struct systemd_property *p) {
    struct dbus_array array;

    switch (p->type[0]) {
    case 's': dbus_put_string(b, p->text); return;
    case 'b':
    case 'i':
    case 'u': dbus_put_u32(b, (uint32_t)p->number); return;
    case 'x':
    case 't': dbus_put_u64(b, p->number); return;
    default: break;
    }
    array = dbus_array_begin(b, p->type[1] == 'y' ? 1 : 4);
    for (size_t i = 0; p->type[1] == 's' && i < p->texts.n; i++)
        dbus_put_string(b, p->texts.v[i]);
    for (size_t i = 0; p->type[1] == 'u' && i < p->n; i++)
        dbus_put_u32(b, ((const uint32_t *)p->data)[i]);
    if (p->type[1] == 'y')
        buf_add(b, p->data, p->n);
    dbus_array_end(b, array);
}

static void put_property(struct buf *b, const struct systemd_property *p) {
    dbus_align(b, 8);
    dbus_put_string(b, p->name);
    dbus_put_signature(b, p->type);
    put_value(b, p);
}

static void put_properties(struct buf *b, const struct list *properties, const struct systemd_property *last) {
    struct dbus_array array = dbus_array_begin(b, 8);

    for (size_t i = 0; i < properties->n; i++)
        put_property(b, LIST_AT(struct systemd_property, properties, i));
    if (last)
        put_property(b, last);
    dbus_array_end(b, array);
}

/* ---- Scopes ---- */

int systemd_scope_start(const char *unit, const struct list *properties, pid_t pid, struct error *e) {
    _cleanup_dbus_ struct dbus d = DBUS_INIT;
    _cleanup_buf_ struct buf body = BUF_INIT;
    struct job job = {.unit = unit};
    const struct systemd_property pids = {.name = "PIDs", .type = "au", .data = &(uint32_t){(uint32_t)pid}, .n = 1};
    const char *error_name = "";
    int r = open_manager(&d, e);

    if (r < 0)
        return r;
    dbus_put_string(&body, unit);
    dbus_put_string(&body, "replace");
    put_properties(&body, properties, &pids);
    dbus_array_end(&body, dbus_array_begin(&body, 8)); /* no units beside it */
    r = job_run(&d, &job, "StartTransientUnit", "ssa(sv)a(sa(sv))", &body, &error_name, e);
    if (r < 0 && strcmp(error_name, UNIT_EXISTS) == 0)
        r = -EEXIST;
    return r < 0 ? error_wrap(e, r, "start %s", unit) : 0;
}

int systemd_scope_attach(const char *unit, const char *group, pid_t pid, struct error *e) {
    _cleanup_dbus_ struct dbus d = DBUS_INIT;
    _cleanup_buf_ struct buf body = BUF_INIT;
    struct dbus_message reply = {.error_name = ""};
    struct dbus_array pids;
    int r = open_manager(&d, e);

    if (r < 0)
        return r;
    dbus_put_string(&body, unit);
    dbus_put_string(&body, group);
    pids = dbus_array_begin(&body, 4);
    dbus_put_u32(&body, (uint32_t)pid);
    dbus_array_end(&body, pids);
    r = manager_call(&d, "AttachProcessesToUnit", "ssau", &body, &reply, e);
    if (r < 0 && strcmp(reply.error_name, NO_SUCH_UNIT) == 0)
        r = -ENOENT;
    return r < 0 ? error_wrap(e, r, "enter %s", unit) : 0;
}

int systemd_manager_group(struct arena *a, const char **ret, struct error *e) {
    _cleanup_dbus_ struct dbus d = DBUS_INIT;
    _cleanup_buf_ struct buf body = BUF_INIT;
    struct dbus_message reply;
    const char *text = "";
    int r = open_manager(&d, e);

    dbus_put_string(&body, MANAGER ".Manager");
    dbus_put_string(&body, "ControlGroup");
    if (r == 0)
        r = dbus_call(&d,
                      &(struct dbus_call){.destination = MANAGER,
                                          .path = "/org/freedesktop/systemd1",
                                          .interface = "org.freedesktop.DBus.Properties",
                                          .member = "Get",
                                          .signature = "ss",
                                          .body = &body},
                      &reply, e);
    if (r < 0)
        return error_wrap(e, r, "ask systemd for its control group");
    text = dbus_get_variant_string(&reply.body);
    if (reply.body.failed)
        return error_set(e, -EPROTO, "systemd's control group is no text");
    *ret = arena_strdup(a, strcmp(text, "/") == 0 ? "" : text);
    return 0;
}

/* A call with the unit's name alone. */
static int unit_call(struct dbus *d, const char *member, const char *unit, const char **ret_error_name, struct error *e) {
    _cleanup_buf_ struct buf body = BUF_INIT;
    struct dbus_message reply;
    int r;

    dbus_put_string(&body, unit);
    r = manager_call(d, member, "s", &body, &reply, e);
    *ret_error_name = reply.error_name;
    return r;
}

static int is_known(struct dbus *d, const char *unit, struct error *e) {
    const char *error_name = "";
    int r = unit_call(d, "GetUnit", unit, &error_name, e);

    if (r == 0)
        return 1;
    if (strcmp(error_name, NO_SUCH_UNIT) != 0)
        return r;
    error_release(e);
    return 0;
}

int systemd_unit_is_known(const char *unit, struct error *e) {
    _cleanup_dbus_ struct dbus d = DBUS_INIT;
    int r = open_manager(&d, e);

    return r < 0 ? r : is_known(&d, unit, e);
}

/* A scope that became empty ends by itself, as soon as systemd has seen it. Returns as is_known(). */
static int wait_for_end(struct dbus *d, const char *unit, struct error *e) {
    const struct timespec pause = {.tv_nsec = END_STEP_NS};
    int r = is_known(d, unit, e);

    for (int i = 0; r > 0 && i < END_STEPS; i++) {
        (void)nanosleep(&pause, NULL);
        r = is_known(d, unit, e);
    }
    return r;
}

int systemd_scope_stop(const char *unit, struct error *e) {
    _cleanup_dbus_ struct dbus d = DBUS_INIT;
    _cleanup_buf_ struct buf body = BUF_INIT;
    struct job job = {.unit = unit};
    const char *error_name = "";
    int r;

    if (!systemd_is_there())
        return 0;
    r = open_manager(&d, e);
    if (r == 0)
        r = wait_for_end(&d, unit, e);
    if (r <= 0)
        return r < 0 ? error_wrap(e, r, "stop %s", unit) : 0;
    dbus_put_string(&body, unit);
    dbus_put_string(&body, "replace");
    r = job_run(&d, &job, "StopUnit", "ss", &body, &error_name, e);
    if (r < 0 && strcmp(error_name, NO_SUCH_UNIT) == 0) {
        error_release(e);
        return 0;
    }
    if (r < 0)
        return error_wrap(e, r, "stop %s", unit);
    (void)unit_call(&d, "ResetFailedUnit", unit, &error_name, NULL); /* usually it is gone already */
    return 0;
}

int systemd_scope_change(const char *unit, const struct list *properties, struct error *e) {
    _cleanup_dbus_ struct dbus d = DBUS_INIT;
    _cleanup_buf_ struct buf body = BUF_INIT;
    struct dbus_message reply;
    int r;

    if (properties->n == 0)
        return 0;
    r = open_manager(&d, e);
    if (r < 0)
        return r;
    dbus_put_string(&body, unit);
    dbus_put_u32(&body, 1); /* until the unit ends */
    put_properties(&body, properties, NULL);
    r = manager_call(&d, "SetUnitProperties", "sba(sv)", &body, &reply, e);
    return r < 0 ? error_wrap(e, r, "change %s", unit) : 0;
}
