#include "model/image_inspect.h"

static const struct json_field graph_driver_fields[] = {
    JSON_FIELD(struct image_graph_driver, data, "Data", JSON_MAP, JSON_NULL_EMPTY),
    JSON_FIELD(struct image_graph_driver, name, "Name", JSON_STR, 0),
    JSON_END,
};
static const struct json_table graph_driver_table = JSON_TABLE("graph driver", struct image_graph_driver, graph_driver_fields);

static const struct json_field rootfs_fields[] = {
    JSON_FIELD(struct image_inspect_rootfs, type, "Type", JSON_STR, 0),
    JSON_FIELD(struct image_inspect_rootfs, layers, "Layers", JSON_STRS, JSON_OMIT),
    JSON_END,
};
static const struct json_table rootfs_table = JSON_TABLE("rootfs", struct image_inspect_rootfs, rootfs_fields);

static const struct json_field metadata_fields[] = {
    JSON_FIELD(struct image_inspect_metadata, last_tag_time, "LastTagTime", JSON_STR, 0),
    JSON_END,
};
static const struct json_table metadata_table = JSON_TABLE("metadata", struct image_inspect_metadata, metadata_fields);

static const struct json_field inspect_fields[] = {
    JSON_FIELD(struct image_inspect, id, "Id", JSON_STR, 0),
    JSON_FIELD(struct image_inspect, repo_tags, "RepoTags", JSON_STRS, 0),
    JSON_FIELD(struct image_inspect, repo_digests, "RepoDigests", JSON_STRS, 0),
    JSON_FIELD(struct image_inspect, parent, "Parent", JSON_STR, 0),
    JSON_FIELD(struct image_inspect, comment, "Comment", JSON_STR, 0),
    JSON_FIELD(struct image_inspect, created, "Created", JSON_STR, 0),
    JSON_FIELD(struct image_inspect, docker_version, "DockerVersion", JSON_STR, 0),
    JSON_FIELD(struct image_inspect, author, "Author", JSON_STR, 0),
    JSON_FIELD_OF(struct image_inspect, config, "Config", JSON_OBJ, 0, &image_defaults_table),
    JSON_FIELD(struct image_inspect, architecture, "Architecture", JSON_STR, 0),
    JSON_FIELD(struct image_inspect, variant, "Variant", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct image_inspect, os, "Os", JSON_STR, 0),
    JSON_FIELD(struct image_inspect, os_version, "OsVersion", JSON_STR, JSON_OMIT),
    JSON_FIELD(struct image_inspect, size, "Size", JSON_U64, 0),
    JSON_FIELD_OF(struct image_inspect, graph_driver, "GraphDriver", JSON_OBJ, 0, &graph_driver_table),
    JSON_FIELD_OF(struct image_inspect, rootfs, "RootFS", JSON_OBJ, 0, &rootfs_table),
    JSON_FIELD_OF(struct image_inspect, metadata, "Metadata", JSON_OBJ, 0, &metadata_table),
    JSON_FIELD_OF(struct image_inspect, descriptor, "Descriptor", JSON_OBJ, 0, &descriptor_table),
    JSON_END,
};
const struct json_table image_inspect_table = JSON_TABLE("image", struct image_inspect, inspect_fields);
