/* The NetworkSettings of inspect: from the leases and the records of published ports. */
#pragma once

#include "engine/container.h"
#include "model/network.h"

struct network_settings {
    const char *bridge, *sandbox_id, *sandbox_key;
    struct list ports; /* struct json_objs of struct port_binding */
    /* of the default network, where old scripts look */
    const char *endpoint_id, *gateway, *ip_address, *mac_address, *global_ipv6_address, *ipv6_gateway;
    int64_t ip_prefix_len, global_ipv6_prefix_len;
    struct list networks; /* struct endpoint_settings */
};
extern const struct json_table network_settings_table;

int inspect_network(struct engine *engine, const struct container *c, bool alive, struct arena *a, struct network_settings *ret,
                    struct error *e);
