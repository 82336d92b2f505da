#include <string.h>

#include "cli/command.h"
#include "network/manage.h"

struct network_create_options {
    struct strs aux_addresses, gateways, ranges, labels, options, subnets;
    const char *driver, *scope, *ipam_driver;
    bool attachable, internal;
    struct opt_bool ipv4, ipv6;
};

static const struct option network_create_options[] = {
    OPTION_BOOL(struct network_create_options, attachable, 0, "attachable", "Enable manual container attachment"),
    OPTION_LIST(struct network_create_options, aux_addresses, 0, "aux-address", "map",
                "Auxiliary IPv4 or IPv6 addresses that are given to nobody"),
    OPTION_FULL(struct network_create_options, driver, 'd', "driver", OPTION_KIND_STR, "string", 0, "bridge",
                "Driver of the network: bridge, macvlan, ipvlan"),
    OPTION_FULL(struct network_create_options, gateways, 0, "gateway", OPTION_KIND_LIST, "strings", OPTION_CSV, NULL,
                "IPv4 or IPv6 gateway for the subnet"),
    OPTION_BOOL(struct network_create_options, internal, 0, "internal", "Restrict external access to the network"),
    OPTION_FULL(struct network_create_options, ranges, 0, "ip-range", OPTION_KIND_LIST, "strings", OPTION_CSV, NULL,
                "Give addresses to containers from a part of the subnet"),
    OPTION_FULL(struct network_create_options, ipam_driver, 0, "ipam-driver", OPTION_KIND_STR, "string", 0, "default",
                "IP address management driver: default"),
    OPTION_FULL(struct network_create_options, ipv4, 0, "ipv4", OPTION_KIND_OPT_BOOL, NULL, 0, NULL,
                "Enable or disable IPv4 (default on)"),
    OPTION_FULL(struct network_create_options, ipv6, 0, "ipv6", OPTION_KIND_OPT_BOOL, NULL, 0, NULL,
                "Enable or disable IPv6 (default on, with a unique local prefix)"),
    OPTION_LIST(struct network_create_options, labels, 0, "label", "list", "Set metadata on a network"),
    OPTION_LIST(struct network_create_options, options, 'o', "opt", "map", "Set driver specific options"),
    OPTION_FULL(struct network_create_options, scope, 0, "scope", OPTION_KIND_STR, "string", 0, "local",
                "Scope of the network: local"),
    OPTION_FULL(struct network_create_options, subnets, 0, "subnet", OPTION_KIND_LIST, "strings", OPTION_CSV, NULL,
                "Subnet in CIDR format that represents a network segment"),
    OPTION_END,
};

/* "key=value", or "key" alone where that is allowed. */
static int read_pairs(const struct strs *texts, bool value_needed, const char *flag, struct arena *a, struct map *ret,
                      struct error *e) {
    for (size_t i = 0; i < texts->n; i++) {
        const char *equals = strchr(texts->v[i], '=');

        if (equals == texts->v[i] || !*texts->v[i] || (!equals && value_needed))
            return error_set(e, -EINVAL, "invalid argument \"%s\" for \"%s\" flag: key=value is needed", texts->v[i], flag);
        map_set_text(a, ret, texts->v[i]);
    }
    return 0;
}

static int network_create_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const struct network_create_options *o = options;
    struct network_create_request q = {.name = args->v[0],
                                       .driver = o->driver,
                                       .subnets = o->subnets,
                                       .ranges = o->ranges,
                                       .gateways = o->gateways,
                                       .ipv4 = o->ipv4,
                                       .ipv6 = o->ipv6,
                                       .internal = o->internal,
                                       .attachable = o->attachable};
    const struct roots *roots;
    struct network n;
    int r;

    if (strcmp(o->ipam_driver, "default") != 0)
        return error_set(e, -EINVAL, "ipam driver %s is not known (default is)", o->ipam_driver);
    if (strcmp(o->scope, "local") != 0)
        return error_set(e, -EINVAL, "scope %s needs a cluster; networks here are local", o->scope);
    r = read_pairs(&o->aux_addresses, true, "--aux-address", &cli->arena, &q.auxiliary, e);
    if (r >= 0)
        r = read_pairs(&o->labels, false, "--label", &cli->arena, &q.labels, e);
    if (r >= 0)
        r = read_pairs(&o->options, false, "-o, --opt", &cli->arena, &q.options, e);
    if (r >= 0)
        r = cli_roots(cli, &roots, e);
    if (r >= 0)
        r = network_create(roots, &q, &cli->arena, &n, e);
    if (r < 0)
        return r;
    puts(n.id);
    return 0;
}

const struct command command_network_create = {
    .names = {"network create"},
    .usage = "NETWORK",
    .summary = "Create a network",
    COMMAND_OPTIONS(struct network_create_options, network_create_options),
    .args_min = 1,
    .args_max = 1,
    .run = network_create_run,
};
