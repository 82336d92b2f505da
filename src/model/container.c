#include "model/container.h"
#include "model/ip.h"
#include "model/network_mode.h"
#include "model/port.h"
#include "model/signal_name.h"
#include "model/userns_mode.h"

#include <string.h>
#include <strings.h>

static const struct json_field create_request_fields[] = {
    JSON_FIELD_OF(struct create_request, host, "HostConfig", JSON_OBJ, 0, &host_config_table),
    JSON_FIELD_OF(struct create_request, networking, "NetworkingConfig", JSON_OBJ, 0, &networking_config_table),
    JSON_END,
};
const struct json_table create_request_table = JSON_TABLE("create request", struct create_request, create_request_fields);

int create_request_decode(const char *text, size_t n, struct arena *a, struct create_request *ret, struct error *e) {
    /* The members of Config stand at the top of the document, beside HostConfig: two tables over one text. */
    int r = json_decode(&create_request_table, text, n, a, ret, e);
    return r < 0 ? r : json_decode(&container_config_table, text, n, a, &ret->config, e);
}

bool mode_is(const char *mode, const char *what) {
    return strcmp(mode ? mode : "", what) == 0;
}

const char *mode_container(const char *mode) {
    static const char prefix[] = "container:";
    return mode && strncmp(mode, prefix, sizeof(prefix) - 1) == 0 ? mode + sizeof(prefix) - 1 : NULL;
}

/* --- checks ---------------------------------------------------------------------------------------------------------------- */

#define MEMORY_MIN ((int64_t)6 << 20)

static int check_memory(const struct host_config *h, struct error *e) {
    if (h->memory != 0 && h->memory < MEMORY_MIN)
        return error_set(e, -EINVAL, "Minimum memory limit allowed is 6MB");
    if (h->memory > 0 && h->memory_swap > 0 && h->memory_swap < h->memory)
        return error_set(e, -EINVAL, "Minimum memoryswap limit should be larger than memory limit, see usage");
    if (h->memory == 0 && h->memory_swap > 0)
        return error_set(e, -EINVAL, "You should always set the Memory limit when using Memoryswap limit, see usage");
    if (h->memory_swappiness.set && (h->memory_swappiness.value < -1 || h->memory_swappiness.value > 100))
        return error_set(e, -EINVAL, "Invalid value: %lld, valid memory swappiness range is 0-100",
                         (long long)h->memory_swappiness.value);
    if (h->memory_reservation != 0 && h->memory_reservation < MEMORY_MIN)
        return error_set(e, -EINVAL, "Minimum memory reservation allowed is 6MB");
    if (h->memory > 0 && h->memory_reservation > h->memory)
        return error_set(e, -EINVAL, "Minimum memory limit can not be less than memory reservation limit, see usage");
    return 0;
}

static int check_cpu(const struct host_config *h, struct error *e) {
    if (h->nano_cpus < 0)
        return error_set(e, -EINVAL, "Range of CPUs is from 0.01 up, as there are only so many CPUs available");
    if (h->nano_cpus > 0 && (h->cpu_period > 0 || h->cpu_quota > 0))
        return error_set(e, -EINVAL, "Conflicting options: Nano CPUs and CPU %s cannot both be set",
                         h->cpu_period > 0 ? "Period" : "Quota");
    if (h->cpu_period != 0 && (h->cpu_period < 1000 || h->cpu_period > 1000000))
        return error_set(e, -EINVAL, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
    if (h->cpu_quota > 0 && h->cpu_quota < 1000)
        return error_set(e, -EINVAL, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
    if (h->blkio_weight != 0 && (h->blkio_weight < 10 || h->blkio_weight > 1000))
        return error_set(e, -EINVAL, "Range of blkio weight is from 10 to 1000");
    return 0;
}

static int check_health_action(const struct host_config *h, struct error *e) {
    static const char *const words[] = {"", "none", "kill", "restart", "stop"};
    const char *action = h->health_on_failure ? h->health_on_failure : "";
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcmp(action, words[i]) == 0)
            return 0;
    return error_set(e, -EINVAL, "invalid --health-on-failure: %s (none, kill, restart or stop)", action);
}

int restart_rule_check(const struct restart_rule *r, bool auto_remove, struct error *e) {
    static const char *const names[] = {"", "no", "always", "unless-stopped", "on-failure", "on-unhealthy"};
    const char *name = r->name ? r->name : "";
    size_t i = 0;
    while (i < ARRAY_SIZE(names) && strcmp(name, names[i]) != 0)
        i++;
    if (i == ARRAY_SIZE(names))
        return error_set(
            e, -EINVAL, "invalid restart policy: unknown policy '%s'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
            name);
    if (r->maximum_retry_count != 0 && strcmp(name, "on-failure") != 0)
        return error_set(e, -EINVAL, "invalid restart policy: maximum retry count can only be used with 'on-failure'");
    if (r->maximum_retry_count < 0)
        return error_set(e, -EINVAL, "invalid restart policy: maximum retry count cannot be negative");
    if (auto_remove && i > 1)
        return error_set(e, -EINVAL, "can't create 'AutoRemove' container with restart policy");
    return 0;
}

/* One namespace mode: which words it may be. */
struct mode_rule {
    const char *what; /* for the message */
    size_t offset;    /* in struct host_config */
    const char *words[6];
    bool container; /* container:X as well */
};
static const struct mode_rule mode_rules[] = {
    {"PID", offsetof(struct host_config, pid_mode), {"", "host", "private"}, true},
    {"IPC", offsetof(struct host_config, ipc_mode), {"", "host", "private", "shareable", "none"}, true},
    {"UTS", offsetof(struct host_config, uts_mode), {"", "host", "private"}, true},
    {"cgroup namespace", offsetof(struct host_config, cgroupns_mode), {"", "host", "private"}, true},
};

static int check_modes(const struct host_config *h, struct error *e) {
    struct userns_mode userns;
    for (size_t i = 0; i < ARRAY_SIZE(mode_rules); i++) {
        const struct mode_rule *rule = &mode_rules[i];
        const char *mode = *(const char *const *)((const char *)h + rule->offset);
        const char *target = mode_container(mode);
        bool known = target && rule->container && *target;
        for (size_t w = 0; w < ARRAY_SIZE(rule->words) && rule->words[w]; w++)
            known = known || mode_is(mode, rule->words[w]);
        if (!known)
            return error_set(e, -EINVAL, "invalid %s mode: %s", rule->what, mode);
    }
    return userns_mode_parse(h->userns_mode, &userns, e);
}

static int check_publish_mode(const struct host_config *h, enum network_mode_kind kind, struct error *e) {
    enum publish_mode mode;
    if (!h->publish_mode || !*h->publish_mode)
        return 0;
    if (kind == NETWORK_MODE_CNI || kind == NETWORK_MODE_PASTA)
        return error_set(e, -EINVAL, "conflicting options: publish-mode and the network mode, whose own program publishes ports");
    return publish_mode_parse(h->publish_mode, &mode, e);
}

static bool has_address(const struct endpoint_settings *s) {
    const struct endpoint_ipam *ipam = s->ipam;
    return ipam && ((ipam->ipv4 && *ipam->ipv4) || (ipam->ipv6 && *ipam->ipv6) || ipam->link_local.n);
}

/* Modes that are no network of ours have no endpoint to set up, and none beside them. */
static int check_endpoints(const struct create_request *r, struct error *e) {
    const char *mode = r->host.network_mode;
    enum network_mode_kind kind = network_mode_kind(mode, NULL);
    for (size_t i = 0; i < r->networking.endpoints.n; i++) {
        const struct endpoint_settings *s = LIST_AT(struct endpoint_settings, &r->networking.endpoints, i);
        if (kind == NETWORK_MODE_NAMED && network_mode_kind(s->key, NULL) == NETWORK_MODE_NAMED)
            continue;
        if (kind == NETWORK_MODE_NAMED || strcmp(s->key, mode) != 0)
            return error_set(e, -EINVAL,
                             "conflicting options: cannot attach both user-defined and non-user-defined network-modes (%s, %s)",
                             mode, s->key);
        if (s->driver_opts.n)
            return error_set(e, -EINVAL, "conflicting options: driver-opt and the network mode");
        if (kind == NETWORK_MODE_CNI) /* addresses and names are for its plugins, which say whether they can */
            continue;
        if (has_address(s))
            return error_set(e, -EINVAL, "user specified IP address is supported on user defined networks only");
        if (s->aliases.n)
            return error_set(e, -EINVAL, "network-scoped alias is supported only for containers in user defined networks");
        if (s->mac_address && *s->mac_address)
            return error_set(e, -EINVAL, "conflicting options: mac-address and the network mode");
    }
    return 0;
}

/* The namespaces of --isolate; one that is misspelt would be the host's. */
static int check_isolate(const struct host_config *h, struct error *e) {
    static const char *const known[] = {"none", "mount", "pid", "network", "ipc", "uts", "cgroup", "user", "time"};

    for (size_t i = 0; i < h->isolate.n; i++) {
        const char *name = h->isolate.v[i];
        size_t k = 0;

        while (k < ARRAY_SIZE(known) && strcmp(name, known[k]) != 0)
            k++;
        if (k == ARRAY_SIZE(known)) {
            error_set(e, -EINVAL, "--isolate: \"%s\" is no namespace", name);
            return error_hint(e, "mount, pid, network, ipc, uts, cgroup, user and time are, or none alone");
        }
        if (k == 0 && h->isolate.n > 1)
            return error_set(e, -EINVAL, "--isolate: none stands alone");
    }
    if (strs_has(&h->isolate, "user") && h->userns_mode && strcmp(h->userns_mode, "host") == 0)
        return error_set(e, -EINVAL, "conflicting options: --isolate user and --userns host");
    return 0;
}

/* In a network namespace of somebody else's there is nothing to set up either; the names in a container's are that container's. */
static int check_network(const struct create_request *r, struct error *e) {
    const struct host_config *h = &r->host;
    const char *argument;
    enum network_mode_kind kind = network_mode_kind(h->network_mode, &argument);
    bool container = kind == NETWORK_MODE_CONTAINER, path = kind == NETWORK_MODE_PATH;
    if (container && r->config.hostname)
        return error_set(e, -EINVAL, "conflicting options: hostname and the network mode");
    if (container && (h->dns.n || h->extra_hosts.n))
        return error_set(e, -EINVAL, "conflicting options: %s and the network mode",
                         h->dns.n ? "dns" : "custom host-to-IP mapping");
    if ((container || path) && (h->port_bindings.n || h->publish_all_ports))
        return error_set(e, -EINVAL, "conflicting options: port publishing and the %s type network mode",
                         container ? "container" : "namespace");
    if (network_mode_is_foreign(h->network_mode) && r->config.mac_address && *r->config.mac_address)
        return error_set(e, -EINVAL, "conflicting options: mac-address and the network mode");
    if ((container || path || kind == NETWORK_MODE_CNI) && !*argument)
        return error_set(e, -EINVAL, "invalid network mode: %s: nothing stands behind the colon", h->network_mode);
    if (path && argument[0] != '/')
        return error_set(e, -EINVAL, "invalid network mode: %s: an absolute path is needed", h->network_mode);
    if ((container || path) && h->isolate.n && !strs_has(&h->isolate, "network"))
        return error_set(e, -EINVAL, "conflicting options: --isolate without network and the network mode");
    for (size_t i = 0; i < h->dns.n; i++) {
        struct ip_address server;
        if (ip_parse(h->dns.v[i], &server, NULL) < 0)
            return error_set(e, -EINVAL, "--dns: %s is not an IP address", h->dns.v[i]);
    }
    int x = check_publish_mode(h, kind, e);
    return x < 0 ? x : check_endpoints(r, e);
}

static bool is_one_word(const char *text) {
    for (size_t i = 0; text && text[i]; i++)
        if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
            return false;
    return true;
}

static int check_exclusions(const struct create_request *r, struct error *e) {
    const struct host_config *h = &r->host;
    uint8_t mac[MAC_SIZE];
    /* They become lines of /etc/hosts and /etc/hostname, and what shells show. */
    if (!is_one_word(r->config.hostname) || !is_one_word(r->config.domainname))
        return error_set(e, -EINVAL, "invalid hostname or domainname: it has white space or control characters in it");
    if (r->config.mac_address && *r->config.mac_address && mac_parse(r->config.mac_address, mac, NULL) < 0)
        return error_set(e, -EINVAL, "%s is not a valid mac address", r->config.mac_address);
    if (mode_is(h->uts_mode, "host") && (r->config.hostname || r->config.domainname))
        return error_set(e, -EINVAL, "conflicting options: hostname and the UTS mode");
    if (h->rootfs && h->rootfs[0] != '/')
        return error_set(e, -EINVAL, "--rootfs needs an absolute path: %s", h->rootfs);
    if (h->oom_score_adj < -1000 || h->oom_score_adj > 1000)
        return error_set(e, -EINVAL, "Invalid value %d, range for oom score adj is [-1000, 1000]", h->oom_score_adj);
    if (h->shm_size < 0)
        return error_set(e, -EINVAL, "SHM size can not be less than 0");
    if (h->runtime && *h->runtime && strcmp(h->runtime, "tare") != 0 && strcmp(h->runtime, "runc") != 0)
        return error_set(e, -EINVAL, "unknown or invalid runtime name: %s", h->runtime);
    return 0;
}

static int check_environment(const struct container_config *c, struct error *e) {
    for (size_t i = 0; i < c->env.n; i++)
        if (c->env.v[i][0] == '=' || c->env.v[i][0] == 0)
            return error_set(e, -EINVAL, "invalid environment variable: %s", c->env.v[i]);
    if (c->working_dir && *c->working_dir && c->working_dir[0] != '/')
        return error_set(e, -EINVAL, "the working directory '%s' is invalid, it needs to be an absolute path", c->working_dir);
    const struct image_healthcheck *h = c->healthcheck;
    if (h && (h->interval < 0 || h->timeout < 0 || h->start_period < 0 || h->start_interval < 0 || h->retries < 0))
        return error_set(e, -EINVAL, "health check: durations and retries cannot be negative");
    return 0;
}

static int check_stop_signal(const struct container_config *c, struct error *e) {
    if (!c->stop_signal || !*c->stop_signal || signal_parse(c->stop_signal))
        return 0;
    return error_set(e, -EINVAL, "invalid signal: %s", c->stop_signal);
}

int create_request_check(const struct create_request *r, struct error *e) {
    int x = check_environment(&r->config, e);
    if (x == 0)
        x = check_stop_signal(&r->config, e);
    if (x == 0)
        x = check_memory(&r->host, e);
    if (x == 0)
        x = check_cpu(&r->host, e);
    if (x == 0)
        x = restart_rule_check(&r->host.restart, r->host.auto_remove, e);
    if (x == 0)
        x = check_health_action(&r->host, e);
    if (x == 0)
        x = check_modes(&r->host, e);
    if (x == 0)
        x = check_network(r, e);
    if (x == 0)
        x = check_isolate(&r->host, e);
    return x == 0 ? check_exclusions(r, e) : x;
}

/* --- merging with the image ------------------------------------------------------------------------------------------------ */

static size_t env_name_length(const char *entry) {
    return strcspn(entry, "=");
}

static bool env_has(const struct strs *env, const char *entry) {
    size_t n = env_name_length(entry);
    for (size_t i = 0; i < env->n; i++)
        if (env_name_length(env->v[i]) == n && memcmp(env->v[i], entry, n) == 0)
            return true;
    return false;
}

/* The image's variables that the user did not set come first, as Docker orders them. */
static void merge_env(struct strs *env, const struct strs *image, struct arena *a) {
    struct strs merged = {0};
    for (size_t i = 0; i < env->n; i++)
        strs_add(a, &merged, env->v[i]);
    for (size_t i = 0; i < image->n; i++)
        if (!env_has(env, image->v[i]))
            strs_add(a, &merged, image->v[i]);
    *env = merged;
}

static void merge_keys(struct strs *to, const struct strs *from, struct arena *a) {
    for (size_t i = 0; i < from->n; i++)
        if (!strs_has(to, from->v[i]))
            strs_add(a, to, from->v[i]);
}

static void merge_health(struct container_config *c, const struct image_healthcheck *image, struct arena *a) {
    if (!image)
        return;
    if (!c->healthcheck) {
        c->healthcheck = arena_memdup(a, image, sizeof(*image));
        return;
    }
    struct image_healthcheck *h = c->healthcheck;
    if (h->test.n == 0)
        h->test = image->test;
    h->interval = h->interval ? h->interval : image->interval;
    h->timeout = h->timeout ? h->timeout : image->timeout;
    h->start_period = h->start_period ? h->start_period : image->start_period;
    h->start_interval = h->start_interval ? h->start_interval : image->start_interval;
    h->retries = h->retries ? h->retries : image->retries;
}

static bool is_empty(const char *s) {
    return !s || !*s;
}

int container_config_merge(struct container_config *c, const struct image_defaults *image, struct arena *a, struct error *e) {
    if (is_empty(c->user))
        c->user = image->user;
    merge_keys(&c->exposed_ports, &image->exposed_ports, a);
    merge_env(&c->env, &image->env, a);
    merge_keys(&c->volumes, &image->volumes, a);
    for (size_t i = 0; i < image->labels.n; i++)
        if (!map_get(&c->labels, image->labels.v[i].key))
            map_set(a, &c->labels, image->labels.v[i].key, image->labels.v[i].value);
    /* An entrypoint of the user's own voids the image's command: the two belong together. */
    if (c->entrypoint.n == 0) {
        if (c->cmd.n == 0)
            c->cmd = image->cmd;
        c->entrypoint = image->entrypoint;
    } else if (c->entrypoint.n == 1 && is_empty(c->entrypoint.v[0])) {
        c->entrypoint = (struct strs){0}; /* --entrypoint "" */
    }
    if (is_empty(c->working_dir))
        c->working_dir = image->working_dir;
    if (is_empty(c->stop_signal))
        c->stop_signal = image->stop_signal;
    if (!c->stop_timeout.set)
        c->stop_timeout = image->stop_timeout;
    if (c->shell.n == 0)
        c->shell = image->shell;
    merge_health(c, image->healthcheck, a);
    if (c->entrypoint.n == 0 && c->cmd.n == 0)
        return error_set(e, -EINVAL, "no command specified");
    return 0;
}
