#include "model/network.h"

static const struct json_field subnet_fields[] = {
    JSON_FIELD(struct network_subnet, subnet, "Subnet", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct network_subnet, ip_range, "IPRange", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct network_subnet, gateway, "Gateway", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct network_subnet, auxiliary, "AuxiliaryAddresses", JSON_MAP, JSON_OMIT),
    JSON_END,
};
static const struct json_table subnet_table = JSON_TABLE("subnet", struct network_subnet, subnet_fields);

static const struct json_field ipam_fields[] = {
    JSON_FIELD(struct network_ipam, driver, "Driver", JSON_STR, 0),
    JSON_FIELD(struct network_ipam, options, "Options", JSON_MAP, JSON_NULL_EMPTY),
    JSON_FIELD_OF(struct network_ipam, config, "Config", JSON_OBJS, JSON_NULL_EMPTY, &subnet_table),
    JSON_END,
};
static const struct json_table ipam_table = JSON_TABLE("IPAM", struct network_ipam, ipam_fields);

static const struct json_field endpoint_fields[] = {
    JSON_FIELD(struct network_endpoint, name, "Name", JSON_STR, 0),
    JSON_FIELD(struct network_endpoint, endpoint_id, "EndpointID", JSON_STR, 0),
    JSON_FIELD(struct network_endpoint, mac, "MacAddress", JSON_STR, 0),
    JSON_FIELD(struct network_endpoint, ipv4, "IPv4Address", JSON_STR, 0),
    JSON_FIELD(struct network_endpoint, ipv6, "IPv6Address", JSON_STR, 0),
    JSON_END,
};
static const struct json_table endpoint_table = JSON_TABLE("endpoint", struct network_endpoint, endpoint_fields);

static const struct json_field network_fields[] = {
    JSON_FIELD(struct network, format, "FormatVersion", JSON_U32, JSON_OMIT),
    JSON_FIELD(struct network, name, "Name", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct network, id, "Id", JSON_STR, 0),
    JSON_FIELD(struct network, created, "Created", JSON_STR, 0),
    JSON_FIELD(struct network, scope, "Scope", JSON_STR, 0),
    JSON_FIELD(struct network, driver, "Driver", JSON_STR, 0),
    JSON_FIELD(struct network, ipv4, "EnableIPv4", JSON_BOOL, 0),
    JSON_FIELD(struct network, ipv6, "EnableIPv6", JSON_BOOL, 0),
    JSON_FIELD_OF(struct network, ipam, "IPAM", JSON_OBJ, 0, &ipam_table),
    JSON_FIELD(struct network, internal, "Internal", JSON_BOOL, 0),
    JSON_FIELD(struct network, attachable, "Attachable", JSON_BOOL, 0),
    JSON_FIELD(struct network, ingress, "Ingress", JSON_BOOL, 0),
    JSON_FIELD_OF(struct network, containers, "Containers", JSON_OBJ_MAP, 0, &endpoint_table),
    JSON_FIELD(struct network, options, "Options", JSON_MAP, 0),
    JSON_FIELD(struct network, labels, "Labels", JSON_MAP, 0),
    JSON_FIELD(struct network, auto_subnet, "AutoSubnet", JSON_BOOL, JSON_OMIT),
    JSON_END,
};
const struct json_table network_table = JSON_TABLE("network", struct network, network_fields);
