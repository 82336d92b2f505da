#include "engine/start_cni.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/self.h"
#include "engine/start_network.h"
#include "kernel/netns_make.h"
#include "model/config.h"
#include "model/network_mode.h"
#include "model/port.h"
#include "network/cni.h"
#include "network/port.h"
#include "runtime/hook.h"

#define CNI_IFNAME    "eth0"
#define ADD_TIMEOUT_S 300

/* The plugins lead packets to the container. The host's ports are taken as those of all containers are: so nobody else has them,
 * and free ones can be chosen. */
static int take_ports(struct engine *engine, const struct container *c, const struct list *mappings, struct arena *a,
                      struct list *taken, struct list *ret, struct error *e) {
    static const struct network_attachment none;
    int r = port_publish(engine->roots, c->id, c->record.name, mappings, &none, PUBLISH_HELD, a, taken, e);
    for (size_t i = 0; r == 0 && i < taken->n; i++) {
        const struct published_port *p = LIST_AT(struct published_port, taken, i);
        char ip[IP_TEXT_MAX] = "";
        if (p->host_ip.family != IP_NONE)
            ip_format(&p->host_ip, ip);
        *LIST_ADD(a, struct cni_port, ret) = (struct cni_port){.protocol = port_protocol_name(p->protocol),
                                                               .host_ip = arena_strdup(a, ip),
                                                               .host_port = p->host_port,
                                                               .container_port = p->container_port};
    }
    return r;
}

int cni_take(struct engine *engine, const struct container *c, const struct list *mappings, struct arena *a,
             struct start_context *x, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    const struct networking_config *n = &c->record.networking;
    const struct endpoint_settings *s = n->endpoints.n ? LIST_AT(struct endpoint_settings, &n->endpoints, 0) : NULL;
    const char *mac = s && s->mac_address && *s->mac_address ? s->mac_address : c->record.config.mac_address;
    struct cni_request q = {
        .container_id = c->id, .ifname = CNI_IFNAME, .netns = x->input.shared.network_path, .mac = mac && *mac ? mac : NULL};
    (void)network_mode_kind(c->record.host.network_mode, &q.network);
    if (engine->config) {
        q.conf_dirs = engine->config->cni_conf_dirs;
        q.plugin_dirs = engine->config->cni_plugin_dirs;
    }
    if (s)
        q.aliases = s->aliases;
    if (s && s->ipam && s->ipam->ipv4 && *s->ipam->ipv4)
        strs_add(a, &q.ips, s->ipam->ipv4);
    if (s && s->ipam && s->ipam->ipv6 && *s->ipam->ipv6)
        strs_add(a, &q.ips, s->ipam->ipv6);
    int r = take_ports(engine, c, mappings, a, &x->ports, &q.ports, e);
    if (r == 0)
        r = cni_attachment(&q, &text, e);
    if (r == 0)
        x->cni = arena_strndup(a, buf_text(&text), text.size);
    return r;
}

/* Errors are the program's own, by what the plugin said. */
static int cni_run(const char *verb, const char *file, struct error *e) {
    char path[SELF_PATH_MAX], *const envp[] = {NULL};
    char *const argv[] = {(char[]){CNI_PROGRAM}, (char *)(uintptr_t)verb, (char *)(uintptr_t)file, NULL};
    const struct hook h = {.path = path, .argv = argv, .envp = envp, .timeout_s = ADD_TIMEOUT_S, .ours = true};

    self_program_path(CNI_PROGRAM, path);
    if (!*path)
        return error_set(e, -ENOENT, "the program " CNI_PROGRAM " is not installed");
    return hook_run(&h, "", 0, e);
}

int cni_check(struct engine *engine, const struct container *c, struct arena *a, struct error *e) {
    return cni_run("check", container_path(engine, c->id, CNI_FILE, a), e);
}

static int make_namespace(const char *path, struct error *e) {
    _cleanup_fd_ int netns = netns_new(false, e);
    return netns < 0 ? netns : netns_bind(netns, path, e);
}

static void take_result(const struct cni_result *result, struct arena *a, struct start_context *x) {
    for (size_t i = 0; i < result->addresses.n; i++) {
        const struct cni_address *one = LIST_AT(struct cni_address, &result->addresses, i);
        strs_add(a, &x->addresses, arena_strndup(a, one->address, strcspn(one->address, "/")));
        if (*one->gateway && !x->gateway)
            x->gateway = one->gateway;
    }
    x->nameservers = result->nameservers;
    x->search = result->search;
    if (*result->domain && !x->search.n)
        strs_add(a, &x->search, result->domain);
    x->resolv_options = result->options;
}

int cni_start(struct engine *engine, const struct container *c, struct arena *a, struct start_context *x, struct error *e) {
    const char *file = container_path(engine, c->id, CNI_FILE, a);
    struct cni_result result;
    int r = 0;
    if (faccessat(c->dirfd, CNI_FILE, F_OK, 0) == 0) /* of a run that a power cut ended */
        r = cni_run("undo", file, e);
    if (r >= 0)
        r = make_namespace(x->input.shared.network_path, e);
    if (r >= 0)
        r = fs_replace_at(c->dirfd, CNI_FILE, x->cni, strlen(x->cni), 0600, FS_SYNC, e);
    if (r >= 0)
        r = cni_run("add", file, e);
    if (r >= 0)
        r = cni_result_read(c->dirfd, a, &result, e);
    if (r < 0)
        return error_wrap(e, r, "network %s", c->record.host.network_mode);
    take_result(&result, a, x);
    return start_network_files(engine, c, a, x, e);
}
