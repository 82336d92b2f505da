/* network connect and disconnect. */
#include <string.h>

#include "cli/command.h"
#include "engine/connect.h"
#include "engine/lookup.h"

struct network_connect_options {
    const char *ip, *ip6;
    struct strs aliases, driver_opts, link_local;
    int64_t gw_priority;
    bool force;
};

static const struct option connect_table[] = {
    OPTION_LIST(struct network_connect_options, aliases, 0, "alias", "strings", "Add network-scoped alias for the container"),
    OPTION_LIST(struct network_connect_options, driver_opts, 0, "driver-opt", "strings", "Driver options of the interface"),
    OPTION_FULL(struct network_connect_options, gw_priority, 0, "gw-priority", OPTION_KIND_INT, "int", 0, NULL,
                "The network of the highest priority has the default route"),
    OPTION_STR(struct network_connect_options, ip, 0, "ip", "string", "IPv4 address (e.g., \"172.30.100.104\")"),
    OPTION_STR(struct network_connect_options, ip6, 0, "ip6", "string", "IPv6 address (e.g., \"2001:db8::33\")"),
    OPTION_LIST(struct network_connect_options, link_local, 0, "link-local-ip", "strings", "Link-local address for the container"),
    OPTION_END,
};

static const struct option disconnect_table[] = {
    OPTION_BOOL(struct network_connect_options, force, 'f', "force", "Also when the network is gone"),
    OPTION_END,
};

static int open_container(struct cli *cli, const char *name, struct engine **ret_engine, struct container *ret, struct error *e) {
    int r = cli_engine(cli, ret_engine, e);

    return r < 0 ? r : container_open(*ret_engine, name, &cli->arena, ret, e);
}

static int connect_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct network_connect_options *o = options;
    struct connect_request q = {.network = args->v[0],
                                .ip = o->ip,
                                .ip6 = o->ip6,
                                .aliases = o->aliases,
                                .link_local = o->link_local,
                                .gw_priority = o->gw_priority};
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct engine *engine;
    int r = open_container(cli, args->v[1], &engine, &c, e);

    map_set_texts(&cli->arena, &q.driver_opts, &o->driver_opts);
    return r < 0 ? r : container_connect(engine, &c, &q, &cli->arena, e);
}

static int disconnect_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct network_connect_options *o = options;
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct engine *engine;
    int r = open_container(cli, args->v[1], &engine, &c, e);

    return r < 0 ? r : container_disconnect(engine, &c, args->v[0], o->force, &cli->arena, e);
}

const struct command command_network_connect = {
    .names = {"network connect"},
    .usage = "NETWORK CONTAINER",
    .summary = "Connect a container to a network",
    COMMAND_OPTIONS(struct network_connect_options, connect_table),
    .args_min = 2,
    .args_max = 2,
    .flags = COMMAND_STARTS,
    .run = connect_run,
};

const struct command command_network_disconnect = {
    .names = {"network disconnect"},
    .usage = "NETWORK CONTAINER",
    .summary = "Disconnect a container from a network",
    COMMAND_OPTIONS(struct network_connect_options, disconnect_table),
    .args_min = 2,
    .args_max = 2,
    .run = disconnect_run,
};
