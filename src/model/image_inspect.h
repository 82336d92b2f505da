/* Docker's answer to `image inspect`. */
#pragma once

#include "model/image_spec.h"

struct image_graph_driver {
    struct map data;  /* LowerDir, UpperDir: paths of the unpacked layers */
    const char *name; /* "overlay2": what tools expect to read there */
};

struct image_inspect_rootfs {
    const char *type;
    struct strs layers; /* diff IDs, lowest first */
};

struct image_inspect_metadata {
    const char *last_tag_time;
};

struct image_inspect {
    const char *id;
    struct strs repo_tags, repo_digests;
    const char *parent, *comment, *created, *docker_version, *author;
    struct image_defaults config;
    const char *architecture, *variant, *os, *os_version;
    uint64_t size;
    struct image_graph_driver graph_driver;
    struct image_inspect_rootfs rootfs;
    struct image_inspect_metadata metadata;
    struct descriptor descriptor; /* of the manifest for this platform */
};

extern const struct json_table image_inspect_table;
