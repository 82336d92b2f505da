#include "engine/defaults.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "model/config.h"
#include "model/network_mode.h"
#include "model/security_defaults.h"
#include "model/ulimit.h"
#include "network/uplink.h"

#define PROFILE_MAX ((size_t)4 << 20)

static bool is_empty(const char *s) {
    return !s || !*s;
}

static int default_ulimits(const struct config *config, struct arena *a, struct host_config *h, struct error *e) {
    const size_t asked = h->ulimits.n;
    for (size_t i = 0; i < config->ulimits.n; i++) {
        struct ulimit u;
        int r = ulimit_parse(config->ulimits.v[i], &u, e);
        if (r < 0)
            return error_wrap(e, r, "tare.conf: ulimits");
        bool known = false;
        for (size_t k = 0; k < asked; k++)
            known = known || strcmp(LIST_AT(struct ulimit, &h->ulimits, k)->name, u.name) == 0;
        if (!known)
            *LIST_ADD(a, struct ulimit, &h->ulimits) = u;
    }
    return 0;
}

static bool has_option(const struct strs *options, const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i < options->n; i++)
        if (strncmp(options->v[i], name, n) == 0 && (!options->v[i][n] || options->v[i][n] == '=' || options->v[i][n] == ':'))
            return true;
    return false;
}

static int default_security(const struct config *config, struct arena *a, struct host_config *h, struct error *e) {
    const char *profile = config->seccomp_profile;
    struct strs options = {0};
    for (size_t i = 0; i < h->security_opt.n; i++)
        strs_add(a, &options, h->security_opt.v[i]);
    if (config->no_new_privileges && !has_option(&options, "no-new-privileges"))
        strs_add(a, &options, "no-new-privileges");
    if (!is_empty(profile) && strcmp(profile, "builtin") != 0 && !has_option(&options, "seccomp")) {
        _cleanup_buf_ struct buf text = BUF_INIT;
        int r = 0;
        if (strcmp(profile, "unconfined") != 0)
            r = fs_read_at(AT_FDCWD, profile, PROFILE_MAX, &text, e);
        if (r < 0)
            return error_wrap(e, r, "tare.conf: seccomp_profile %s", profile);
        strs_add(a, &options, arena_printf(a, "seccomp=%s", text.size ? buf_text(&text) : "unconfined"));
    }
    h->security_opt = options;
    return 0;
}

/* One that is named by nobody depends on who calls: an ordinary user needs a program that connects it with the world. */
static void default_network(const struct config *config, bool rootless, struct host_config *h) {
    _cleanup_error_ struct error why = ERROR_INIT;
    bool isolated = h->isolate.n == 0 || strs_has(&h->isolate, "network");
    if (!isolated || (!is_empty(h->network_mode) && strcmp(h->network_mode, "default") != 0))
        return;
    if (!is_empty(config->network))
        h->network_mode = config->network;
    else if (rootless && h->port_bindings.n == 0 && uplink_check(&why) < 0) {
        log_warn("the container has no network: %s; --network none says so in silence", why.text);
        h->network_mode = "none";
    }
}

static void default_address(const struct config *config, struct host_config *h) {
    for (size_t i = 0; !is_empty(config->publish_address) && i < h->port_bindings.n; i++) {
        struct json_objs *of = LIST_AT(struct json_objs, &h->port_bindings, i);
        for (size_t k = 0; k < of->items.n; k++) {
            struct port_binding *b = LIST_AT(struct port_binding, &of->items, k);
            if (is_empty(b->host_ip))
                b->host_ip = config->publish_address;
        }
    }
}

static void default_log(const struct config *config, struct arena *a, struct log_config *log) {
    bool same = is_empty(log->type) || strcmp(log->type, config->log_driver) == 0;
    if (is_empty(log->type))
        log->type = config->log_driver;
    for (size_t i = 0; same && i < config->log_opts.n; i++) { /* options belong to their driver */
        const char *text = config->log_opts.v[i];
        size_t n = strcspn(text, "=");
        const char *key = arena_strndup(a, text, n);
        if (!map_get(&log->config, key))
            map_set(a, &log->config, key, text[n] ? text + n + 1 : "");
    }
}

static bool shares_namespace(const struct host_config *h) {
    return network_mode_path(h->network_mode) || mode_container(h->pid_mode) || mode_container(h->ipc_mode) ||
           mode_container(h->network_mode) || mode_container(h->uts_mode) || mode_container(h->cgroupns_mode);
}

/* A default that cannot be had is none: with one id alone, or where the namespace of a network is made before. */
static bool may_map(const struct roots *roots, const struct host_config *h) {
    return h->isolate.n == 0 && !h->privileged && !shares_namespace(h) &&
           (!roots->rootless ||
            (roots->uids > 1 && roots->gids > 1 && network_mode_kind(h->network_mode, NULL) != NETWORK_MODE_PASTA));
}

static void default_host(const struct config *config, const struct roots *roots, struct host_config *h) {
    if (h->shm_size == 0)
        h->shm_size = config->shm_size;
    /* The built-in limit is dropped where no cgroup can hold it; one that was chosen is not. */
    if (!h->pids_limit.set && !h->privileged && config->pids_limit != SECURITY_PIDS_LIMIT)
        h->pids_limit = (struct opt_i64){true, config->pids_limit};
    if (!h->init.set && config->init)
        h->init = (struct opt_bool){true, true};
    if (is_empty(h->cgroup_parent))
        h->cgroup_parent = config->cgroup_parent;
    if (is_empty(h->userns_mode) && may_map(roots, h))
        h->userns_mode = config->userns;
    if (is_empty(h->userns_mode) && strs_has(&h->isolate, "user"))
        h->userns_mode = "auto";
    if (mode_container(h->network_mode))
        return; /* its files are the other container's matter */
    if (h->dns.n == 0)
        h->dns = config->dns;
    if (h->dns_search.n == 0)
        h->dns_search = config->dns_search;
    if (h->dns_options.n == 0)
        h->dns_options = config->dns_options;
}

int defaults_apply(const struct config *config, const struct roots *roots, struct arena *a, struct create_request *q,
                   struct error *e) {
    default_network(config, roots->rootless, &q->host);
    default_host(config, roots, &q->host);
    default_address(config, &q->host);
    default_log(config, a, &q->host.log);
    int r = default_security(config, a, &q->host, e);
    return r < 0 ? r : default_ulimits(config, a, &q->host, e);
}

void defaults_apply_merged(const struct config *config, struct container_config *c) {
    if (!c->stop_timeout.set)
        c->stop_timeout = (struct opt_i64){true, config->stop_timeout};
}
