/* From options to a create request. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "cli/container_flags.h"
#include "model/cdi.h"
#include "model/gpu.h"
#include "model/mount_text.h"
#include "model/network.h"
#include "model/network_mode.h"
#include "model/port.h"
#include "model/secret.h"
#include "model/ulimit.h"
#include "model/units.h"

#define LINES_FILE_MAX ((size_t)1 << 20)

/* --- environment, labels --------------------------------------------------------------------------------------------------- */

static const char *own_variable(const char *name) {
    size_t n = strlen(name);
    for (char **v = environ; *v; v++)
        if (strncmp(*v, name, n) == 0 && (*v)[n] == '=')
            return *v;
    return NULL;
}

static int add_variables(const struct strs *given, struct arena *a, struct strs *ret, struct error *e) {
    for (size_t i = 0; i < given->n; i++) {
        const char *text = given->v[i];
        if (text[0] == 0 || text[0] == '=')
            return error_set(e, -EINVAL, "invalid environment variable: %s", text);
        const char *entry = strchr(text, '=') ? text : own_variable(text);
        if (!entry)
            continue;
        /* The last one of a name wins. */
        size_t name = strcspn(entry, "="), k = 0;
        while (k < ret->n && (strncmp(ret->v[k], entry, name) != 0 || ret->v[k][name] != '='))
            k++;
        if (k < ret->n)
            ret->v[k] = entry;
        else
            strs_add(a, ret, entry);
    }
    return 0;
}

/* Lines of a file: comments and empty ones left out. `env`: names may not hold blanks. */
static int lines_read(const char *path, bool env, struct arena *a, struct strs *ret, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(e, -errno, "open %s", path);
    int r = fs_read_fd(fd, LINES_FILE_MAX, &text, e);
    if (r < 0)
        return error_wrap(e, r, "read %s", path);
    const char *p = buf_text(&text);
    if (strncmp(p, "\xef\xbb\xbf", 3) == 0)
        p += 3;
    for (; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        size_t n = strcspn(p, "\n");
        const char *line = arena_strndup(a, p, n > 0 && p[n - 1] == '\r' ? n - 1 : n);
        line += strspn(line, " \t");
        if (!*line || *line == '#')
            continue;
        size_t name = strcspn(line, "=");
        if (name == 0)
            return error_set(e, -EINVAL, "no variable name on line '%s'", line);
        if (env && strcspn(line, " \t") < name)
            return error_set(e, -EINVAL, "poorly formatted environment: variable '%.*s' contains whitespaces", (int)name, line);
        strs_add(a, ret, line);
    }
    return 0;
}

int env_resolve(const struct strs *files, const struct strs *given, struct arena *a, struct strs *ret, struct error *e) {
    struct strs lines = {0};
    int r = 0;
    for (size_t i = 0; r == 0 && i < files->n; i++)
        r = lines_read(files->v[i], true, a, &lines, e);
    if (r == 0)
        r = add_variables(&lines, a, ret, e);
    return r < 0 ? r : add_variables(given, a, ret, e);
}

static int set_env_and_labels(const struct container_flags *f, struct arena *a, struct container_config *c, struct error *e) {
    struct strs labels = {0};
    int r = env_resolve(&f->env_file, &f->env, a, &c->env, e);
    for (size_t i = 0; r == 0 && i < f->label_file.n; i++)
        r = lines_read(f->label_file.v[i], false, a, &labels, e);
    for (size_t i = 0; i < f->labels.n; i++)
        strs_add(a, &labels, f->labels.v[i]);
    for (size_t i = 0; r == 0 && i < labels.n; i++)
        if (!*labels.v[i] || *labels.v[i] == '=')
            r = error_set(e, -EINVAL, "invalid label '%s': empty name", labels.v[i]);
    map_set_texts(a, &c->labels, &labels);
    return r;
}

/* --- resources ------------------------------------------------------------------------------------------------------------- */

/* "PATH:RATE" of --device-read-bps (a size) and -iops (a number). */
static int throttles(const struct strs *texts, bool bytes, struct arena *a, struct list *ret, struct error *e) {
    for (size_t i = 0; i < texts->n; i++) {
        const char *text = texts->v[i], *colon = strrchr(text, ':');
        int64_t rate;
        if (!colon || text[0] != '/')
            return error_set(e, -EINVAL, "bad format: %s", text);
        if ((bytes ? size_parse(colon + 1, &rate, NULL) : int_parse(colon + 1, 0, INT64_MAX, &rate)) < 0 || rate < 0)
            return error_set(e, -EINVAL, "invalid rate for device: %s. The correct format is <device-path>:<number>", text);
        *LIST_ADD(a, struct throttle_device, ret) =
            (struct throttle_device){arena_strndup(a, text, (size_t)(colon - text)), (uint64_t)rate};
    }
    return 0;
}

/* "PATH:WEIGHT" of --blkio-weight-device. */
static int weights(const struct strs *texts, struct arena *a, struct list *ret, struct error *e) {
    for (size_t i = 0; i < texts->n; i++) {
        const char *text = texts->v[i], *colon = strrchr(text, ':');
        int64_t weight;
        if (!colon || text[0] != '/')
            return error_set(e, -EINVAL, "bad format: %s", text);
        if (int_parse(colon + 1, 0, 1000, &weight) < 0 || (weight != 0 && weight < 10))
            return error_set(e, -EINVAL, "invalid weight for device: %s", text);
        *LIST_ADD(a, struct weight_device, ret) =
            (struct weight_device){arena_strndup(a, text, (size_t)(colon - text)), (uint32_t)weight};
    }
    return 0;
}

/* Behind the GPUs, as Docker has it. */
static void add_cdi_device(const char *name, struct arena *a, struct host_config *h) {
    struct list *l = &h->device_requests;
    if (l->n == 0 || strcmp(LIST_AT(struct device_request, l, l->n - 1)->driver, "cdi") != 0)
        *LIST_ADD(a, struct device_request, l) = (struct device_request){.driver = "cdi"};
    strs_add(a, &LIST_AT(struct device_request, l, l->n - 1)->device_ids, name);
}

static int set_devices(const struct container_flags *f, struct arena *a, struct host_config *h, struct error *e) {
    int r = f->gpus ? gpu_request_parse(f->gpus, a, LIST_ADD(a, struct device_request, &h->device_requests), e) : 0;
    if (r < 0)
        return r;
    for (size_t i = 0; i < f->device.n; i++) {
        const char *text = f->device.v[i];
        if (cdi_name_is(text)) {
            add_cdi_device(text, a, h);
            continue;
        }
        const char *parts[4] = {NULL};
        size_t n = 0;
        for (const char *p = text; n < ARRAY_SIZE(parts); p += strcspn(p, ":") + 1) {
            size_t len = strcspn(p, ":");
            parts[n++] = arena_strndup(a, p, len);
            if (!p[len])
                break;
        }
        struct device_mapping d = {.path_on_host = parts[0], .path_in_container = parts[0], .cgroup_permissions = "rwm"};
        if (n == 3) {
            d.path_in_container = parts[1];
            d.cgroup_permissions = parts[2];
        } else if (n == 2 && parts[1][0] == '/') {
            d.path_in_container = parts[1];
        } else if (n == 2) {
            d.cgroup_permissions = parts[1];
        }
        if (n > 3 || parts[0][0] != '/' || strspn(d.cgroup_permissions, "rwm") != strlen(d.cgroup_permissions) ||
            !*d.cgroup_permissions)
            return error_set(e, -EINVAL, "invalid device specification: %s", text);
        *LIST_ADD(a, struct device_mapping, &h->devices) = d;
    }
    h->device_cgroup_rules = f->device_cgroup_rule;
    return 0;
}

static int set_resources(const struct container_flags *f, struct arena *a, struct host_config *h, struct error *e) {
    h->memory = f->memory.value;
    h->memory_reservation = f->memory_reservation.value;
    h->memory_swap = f->memory_swap.value;
    h->memory_swappiness = f->memory_swappiness;
    h->nano_cpus = f->cpus.value;
    h->cpu_shares = f->cpu_shares;
    h->cpu_period = f->cpu_period;
    h->cpu_quota = f->cpu_quota;
    h->cpu_realtime_period = f->cpu_rt_period;
    h->cpu_realtime_runtime = f->cpu_rt_runtime;
    h->cpuset_cpus = f->cpuset_cpus;
    h->cpuset_mems = f->cpuset_mems;
    h->pids_limit = f->pids_limit;
    h->oom_score_adj = (int32_t)MIN_OF(MAX_OF(f->oom_score_adj, INT32_MIN), INT32_MAX);
    h->shm_size = f->shm_size.value;
    if (f->blkio_weight < 0 || f->blkio_weight > 1000)
        return error_set(e, -EINVAL, "Range of blkio weight is from 10 to 1000");
    h->blkio_weight = (uint32_t)f->blkio_weight;
    if (f->oom_kill_disable)
        h->oom_kill_disable = (struct opt_bool){true, true};
    for (size_t i = 0; i < f->ulimit.n; i++) {
        int r = ulimit_parse(f->ulimit.v[i], LIST_ADD(a, struct ulimit, &h->ulimits), e);
        if (r < 0)
            return r;
    }
    int r = weights(&f->blkio_weight_device, a, &h->blkio_weight_device, e);
    if (r == 0)
        r = throttles(&f->device_read_bps, true, a, &h->blkio_read_bps, e);
    if (r == 0)
        r = throttles(&f->device_write_bps, true, a, &h->blkio_write_bps, e);
    if (r == 0)
        r = throttles(&f->device_read_iops, false, a, &h->blkio_read_iops, e);
    if (r == 0)
        r = throttles(&f->device_write_iops, false, a, &h->blkio_write_iops, e);
    return r < 0 ? r : set_devices(f, a, h, e);
}

/* --- mounts ---------------------------------------------------------------------------------------------------------------- */

static int set_mounts(const struct container_flags *f, struct arena *a, struct container_config *c, struct host_config *h,
                      struct error *e) {
    _cleanup_free_ char *cwd = getcwd(NULL, 0);
    for (size_t i = 0; i < f->volumes.n; i++) {
        struct mount_point m;
        int r = volume_text_parse(f->volumes.v[i], cwd, a, &m, e);
        if (r < 0)
            return r;
        const char *text = f->volumes.v[i];
        if (text[0] == '.') /* the record has to hold whole paths */
            text = arena_printf(a, "%s%s", m.source, text + strcspn(text, ":"));
        strs_add(a, strchr(text, ':') ? &h->binds : &c->volumes,
                 text); /* anonymous ones stand where the image's do, as in Docker's */
    }
    for (size_t i = 0; i < f->mounts.n; i++) {
        int r = mount_text_parse(f->mounts.v[i], cwd, a, LIST_ADD(a, struct mount_request, &h->mounts), e);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < f->tmpfs.n; i++) {
        size_t n = strcspn(f->tmpfs.v[i], ":");
        map_set(a, &h->tmpfs, arena_strndup(a, f->tmpfs.v[i], n), f->tmpfs.v[i][n] ? f->tmpfs.v[i] + n + 1 : "");
    }
    h->volumes_from = f->volumes_from;
    h->volume_driver = f->volume_driver;
    return 0;
}

/* --- network --------------------------------------------------------------------------------------------------------------- */

/* "NAME", or "name=NAME,alias=…,ip=…,ip6=…,mac-address=…,link-local-ip=…,gw-priority=…,driver-opt=KEY=VALUE". */
static int parse_network(const char *text, struct arena *a, struct endpoint_settings *s, struct error *e) {
    s->key = text;
    if (!strchr(text, '=') || network_mode_path(text))
        return 0;
    s->key = NULL;
    s->ipam = arena_new(a, struct endpoint_ipam);
    for (const char *p = text; *p; p += strcspn(p, ","), p += *p == ',') {
        const char *field = arena_strndup(a, p, strcspn(p, ","));
        size_t n = strcspn(field, "=");
        const char *value = field[n] ? field + n + 1 : "", *key = arena_strndup(a, field, n);
        if (strcmp(key, "name") == 0)
            s->key = value;
        else if (strcmp(key, "alias") == 0)
            strs_add(a, &s->aliases, value);
        else if (strcmp(key, "ip") == 0)
            s->ipam->ipv4 = value;
        else if (strcmp(key, "ip6") == 0)
            s->ipam->ipv6 = value;
        else if (strcmp(key, "mac-address") == 0)
            s->mac_address = value;
        else if (strcmp(key, "link-local-ip") == 0)
            strs_add(a, &s->ipam->link_local, value);
        else if (strcmp(key, "driver-opt") == 0)
            map_set_text(a, &s->driver_opts, value);
        else if (strcmp(key, "gw-priority") == 0 && int_parse(value, INT32_MIN, INT32_MAX, &s->gw_priority) < 0)
            return error_set(e, -EINVAL, "invalid gw-priority %s: a number is needed", value);
        else if (strcmp(key, "gw-priority") == 0)
            continue;
        else
            return error_set(e, -EINVAL, "invalid field %s", field);
    }
    return s->key ? 0 : error_set(e, -EINVAL, "network name is not specified");
}

static int set_networks(const struct container_flags *f, struct arena *a, struct create_request *q, struct error *e) {
    for (size_t i = 0; i < f->network.n; i++) {
        struct endpoint_settings s = {0};
        int r = parse_network(f->network.v[i], a, &s, e);
        if (r < 0)
            return r;
        if (i == 0)
            q->host.network_mode = s.key;
        /* The others have no endpoint; what was asked of one is refused by the request's check. */
        if (i > 0 || s.ipam || network_mode_kind(s.key, NULL) == NETWORK_MODE_NAMED)
            *LIST_ADD(a, struct endpoint_settings, &q->networking.endpoints) = s;
    }
    if (!f->network_alias.n && !f->ip && !f->ip6)
        return 0;
    if (q->networking.endpoints.n == 0)
        LIST_ADD(a, struct endpoint_settings, &q->networking.endpoints)->key =
            q->host.network_mode ? q->host.network_mode : NETWORK_DEFAULT;
    struct endpoint_settings *s = LIST_AT(struct endpoint_settings, &q->networking.endpoints, 0);
    if (!s->ipam)
        s->ipam = arena_new(a, struct endpoint_ipam);
    s->ipam->ipv4 = f->ip ? f->ip : s->ipam->ipv4;
    s->ipam->ipv6 = f->ip6 ? f->ip6 : s->ipam->ipv6;
    for (size_t i = 0; i < f->network_alias.n; i++)
        strs_add(a, &s->aliases, f->network_alias.v[i]);
    return 0;
}

static struct json_objs *binding_list(struct arena *a, struct list *to, const char *key) {
    for (size_t i = 0; i < to->n; i++)
        if (strcmp(LIST_AT(struct json_objs, to, i)->key, key) == 0)
            return LIST_AT(struct json_objs, to, i);
    struct json_objs *o = LIST_ADD(a, struct json_objs, to);
    o->key = key;
    return o;
}

static int set_ports(const struct container_flags *f, struct arena *a, struct create_request *q, struct error *e) {
    struct list mappings = {0}, exposed = {0};
    int r = 0;
    for (size_t i = 0; r == 0 && i < f->publish.n; i++)
        r = port_parse(f->publish.v[i], a, &mappings, e);
    for (size_t i = 0; r == 0 && i < f->expose.n; i++)
        r = port_parse_exposed(f->expose.v[i], a, &exposed, e);
    for (size_t i = 0; r == 0 && i < exposed.n; i++) {
        const struct port_mapping *m = LIST_AT(struct port_mapping, &exposed, i);
        strs_add(a, &q->config.exposed_ports, arena_printf(a, "%u/%s", m->container_port, port_protocol_name(m->protocol)));
    }
    for (size_t i = 0; r == 0 && i < mappings.n; i++) {
        const struct port_mapping *m = LIST_AT(struct port_mapping, &mappings, i);
        const char *key = arena_printf(a, "%u/%s", m->container_port, port_protocol_name(m->protocol));
        struct port_binding *b = LIST_ADD(a, struct port_binding, &binding_list(a, &q->host.port_bindings, key)->items);
        char address[IP_TEXT_MAX] = "";
        if (m->host_ip.family)
            ip_format(&m->host_ip, address);
        b->host_ip = arena_strdup(a, address);
        b->host_port = m->host_first == 0              ? ""
                       : m->host_first == m->host_last ? arena_printf(a, "%u", m->host_first)
                                                       : arena_printf(a, "%u-%u", m->host_first, m->host_last);
        if (!strs_has(&q->config.exposed_ports, key))
            strs_add(a, &q->config.exposed_ports, key);
    }
    return r;
}

/* --- life ------------------------------------------------------------------------------------------------------------------ */

int restart_rule_parse(const char *text, struct arena *a, struct restart_rule *ret, struct error *e) {
    size_t n = strcspn(text, ":");
    int64_t max = 0;
    if (text[n] && int_parse(text + n + 1, 0, INT32_MAX, &max) < 0)
        return error_set(e, -EINVAL, "invalid restart policy format: maximum retry count must be an integer");
    *ret = (struct restart_rule){arena_strndup(a, text, n), (int32_t)max};
    return 0;
}

static int set_health(const struct container_flags *f, struct arena *a, struct container_config *c, struct error *e) {
    bool any = f->health_cmd || f->health_interval.set || f->health_timeout.set || f->health_start_period.set ||
               f->health_start_interval.set || f->health_retries;
    if (f->no_healthcheck && any)
        return error_set(e, -EINVAL, "--no-healthcheck conflicts with --health-* options");
    if (!any && !f->no_healthcheck)
        return 0;
    struct image_healthcheck *h = c->healthcheck = arena_new(a, struct image_healthcheck);
    if (f->no_healthcheck) {
        strs_add(a, &h->test, "NONE");
        return 0;
    }
    if (f->health_cmd) {
        strs_add(a, &h->test, "CMD-SHELL");
        strs_add(a, &h->test, f->health_cmd);
    }
    h->interval = f->health_interval.value;
    h->timeout = f->health_timeout.value;
    h->start_period = f->health_start_period.value;
    h->start_interval = f->health_start_interval.value;
    h->retries = (int32_t)f->health_retries;
    return 0;
}

#define SECCOMP_PROFILE_MAX ((size_t)4 << 20)

/* A seccomp profile is a file of the caller's: its text goes into the request, as Docker's command line does. */
static int set_security(const struct container_flags *f, struct arena *a, struct host_config *h, struct error *e) {
    for (size_t i = 0; i < f->security_opt.n; i++) {
        const char *text = f->security_opt.v[i];
        const char *file = strncmp(text, "seccomp=", 8) == 0 || strncmp(text, "seccomp:", 8) == 0 ? text + 8 : NULL;
        if (file && strcmp(file, "unconfined") != 0 && strcmp(file, "builtin") != 0) {
            _cleanup_buf_ struct buf profile = BUF_INIT;
            _cleanup_fd_ int fd = open(file, O_RDONLY | O_CLOEXEC);
            int r = fd < 0 ? -errno : fs_read_fd(fd, SECCOMP_PROFILE_MAX, &profile, NULL);
            if (r < 0)
                return error_errno(e, r, "opening seccomp profile (%s) failed", file);
            text = arena_printf(a, "seccomp=%s", buf_text(&profile));
        }
        strs_add(a, &h->security_opt, text);
    }
    for (size_t i = 0; i < f->sysctl.n; i++)
        if (!strchr(f->sysctl.v[i], '='))
            return error_set(e, -EINVAL, "sysctl '%s' is not allowed: KEY=VALUE is wanted", f->sysctl.v[i]);
    map_set_texts(a, &h->sysctls, &f->sysctl);
    return 0;
}

static int set_life(const struct container_flags *f, struct arena *a, struct create_request *q, struct error *e) {
    struct host_config *h = &q->host;
    int r = restart_rule_parse(f->restart, a, &h->restart, e);
    if (r < 0)
        return r;
    if (f->rm && h->restart.name && *h->restart.name && strcmp(h->restart.name, "no") != 0)
        return error_set(e, -EINVAL, "conflicting options: cannot specify both --restart and --rm");
    h->auto_remove = f->rm;
    h->log.type = f->log_driver;
    map_set_texts(a, &h->log.config, &f->log_opt);
    for (size_t i = 0; r == 0 && i < f->secret.n; i++)
        r = secret_request_parse(f->secret.v[i], a, LIST_ADD(a, struct secret_request, &h->secrets), e);
    if (r < 0)
        return r;
    h->container_id_file = f->cidfile;
    h->health_on_failure = f->health_on_failure;
    h->publish_mode = f->publish_mode;
    return set_health(f, a, &q->config, e);
}

/* --- all of it ------------------------------------------------------------------------------------------------------------- */

static void set_config(const struct container_flags *f, struct arena *a, struct container_config *c) {
    c->hostname = f->hostname;
    c->domainname = f->domainname;
    c->user = f->user;
    c->tty = f->tty;
    c->open_stdin = f->interactive;
    c->working_dir = f->workdir;
    c->stop_signal = f->stop_signal;
    c->stop_timeout = f->stop_timeout;
    c->mac_address = f->mac_address;
    if (f->entrypoint)
        strs_add(a, &c->entrypoint, f->entrypoint);
}

static void set_isolation(const struct container_flags *f, struct arena *a, struct host_config *h) {
    h->pid_mode = f->pid;
    h->ipc_mode = f->ipc;
    h->uts_mode = f->uts;
    h->userns_mode = f->userns;
    h->cgroupns_mode = f->cgroupns;
    h->cgroup_parent = f->cgroup_parent;
    h->runtime = f->runtime;
    for (size_t i = 0; i < f->isolate.n; i++) /* the kernel's name for it, too */
        strs_add(a, &h->isolate, strcmp(f->isolate.v[i], "net") == 0 ? "network" : f->isolate.v[i]);
    h->cap_add = f->cap_add;
    h->cap_drop = f->cap_drop;
    h->group_add = f->group_add;
    h->privileged = f->privileged;
    h->readonly_rootfs = f->read_only;
    h->publish_all_ports = f->publish_all;
    h->dns = f->dns;
    h->dns_options = f->dns_option;
    h->dns_search = f->dns_search;
    h->extra_hosts = f->add_host;
    if (f->init)
        h->init = (struct opt_bool){true, true};
    map_set_texts(a, &h->annotations, &f->annotation);
}

static int set_rootfs(const char *text, struct arena *a, struct host_config *h, struct error *e) {
    size_t n = strlen(text);
    h->rootfs_writable = n > 3 && strcmp(text + n - 3, ":rw") == 0;
    const char *path = h->rootfs_writable ? arena_strndup(a, text, n - 3) : text;
    _cleanup_fd_ int fd = fs_open_dir(AT_FDCWD, path, e);
    if (fd < 0)
        return error_wrap(e, fd, "--rootfs");
    _cleanup_free_ char *real = fs_fd_path(fd);
    if (!real)
        return error_errno(e, -errno, "--rootfs %s", path);
    h->rootfs = arena_strdup(a, real);
    return 0;
}

int container_flags_request(const struct container_flags *f, const struct strs *args, struct arena *a, struct create_request *ret,
                            struct error *e) {
    struct create_request q = {0};
    size_t first = 0;
    int r = 0;
    set_config(f, a, &q.config);
    set_isolation(f, a, &q.host);
    if (f->rootfs) {
        r = set_rootfs(f->rootfs, a, &q.host, e);
    } else if (args->n == 0) {
        return error_set(e, -EINVAL, "an image is wanted");
    } else {
        q.config.image = args->v[first++];
    }
    q.config.cmd = (struct strs){args->v + first, args->n - first};
    static int (*const setters[])(const struct container_flags *, struct arena *, struct create_request *,
                                  struct error *) = {set_networks, set_ports, set_life};
    if (r == 0)
        r = set_env_and_labels(f, a, &q.config, e);
    if (r == 0)
        r = set_resources(f, a, &q.host, e);
    if (r == 0)
        r = set_mounts(f, a, &q.config, &q.host, e);
    if (r == 0)
        r = set_security(f, a, &q.host, e);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(setters); i++)
        r = setters[i](f, a, &q, e);
    if (r == 0)
        *ret = q;
    return r;
}
