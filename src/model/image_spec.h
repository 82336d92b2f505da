/* Images as the OCI image specification 1.1 and Docker's image manifest version 2 schema 2 write them. The two agree in every field
 * that tare reads, so one set of structs and tables serves both; the media types tell them apart.
 *
 * Documents come from strangers: every digest is checked against its grammar while decoding, and document_kind() refuses what is a
 * manifest and an index at once. Digests are always taken over the bytes received, never over a document written anew. */
#pragma once

#include "base/json.h"

#define MEDIA_OCI_INDEX         "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST      "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_CONFIG        "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER         "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_OCI_LAYER_GZIP    "application/vnd.oci.image.layer.v1.tar+gzip"
#define MEDIA_OCI_LAYER_ZSTD    "application/vnd.oci.image.layer.v1.tar+zstd"
#define MEDIA_DOCKER_LIST       "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST   "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_CONFIG     "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER      "application/vnd.docker.image.rootfs.diff.tar"
#define MEDIA_DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define MEDIA_DOCKER_LAYER_ZSTD "application/vnd.docker.image.rootfs.diff.tar.zstd"

/* Bounds (defence D15). */
#define IMAGE_MANIFEST_MAX    ((size_t)4 << 20)
#define IMAGE_CONFIG_MAX      ((size_t)8 << 20)
#define IMAGE_INDEX_DEPTH_MAX 3
#define IMAGE_LAYERS_MAX      127

struct platform {
    const char *os;           /* "linux" */
    const char *architecture; /* Go's names: "amd64", "arm64" */
    const char *variant;      /* "v7", "v8"; NULL */
    const char *os_version;
    struct strs os_features;
};

struct descriptor {
    const char *media_type;
    const char *digest;
    uint64_t size;             /* bytes */
    struct platform *platform; /* in an index only; NULL */
    struct map annotations;
    const char *artifact_type;
};

struct image_manifest {
    uint32_t schema_version;
    const char *media_type;
    struct descriptor config;
    struct list layers; /* of struct descriptor, lowest first */
    struct map annotations;
};

struct image_index {
    uint32_t schema_version;
    const char *media_type;
    struct list manifests; /* of struct descriptor */
    struct map annotations;
};

struct image_healthcheck {
    struct strs test; /* {"NONE"}, {"CMD", …}, {"CMD-SHELL", "…"}; empty = inherit */
    int64_t interval; /* nanoseconds; 0 = inherit */
    int64_t timeout;
    int64_t start_period;
    int64_t start_interval;
    int32_t retries; /* 0 = inherit */
};

/* What a container made from the image gets unless told otherwise ("config" of the configuration). */
struct image_defaults {
    const char *user;
    struct strs exposed_ports; /* "80/tcp" */
    struct strs env;           /* "NAME=VALUE" */
    struct strs entrypoint;
    struct strs cmd;
    struct strs volumes;
    const char *working_dir;
    struct map labels;
    const char *stop_signal;
    struct opt_i64 stop_timeout; /* seconds */
    struct image_healthcheck *healthcheck;
    struct strs on_build;
    struct strs shell;
    bool args_escaped;
};

struct image_history {
    const char *created; /* RFC 3339 */
    const char *created_by;
    const char *author;
    const char *comment;
    bool empty_layer;
};

struct image_rootfs {
    const char *type;     /* "layers" */
    struct strs diff_ids; /* digests of the unpacked archives, lowest first */
};

struct image_config {
    const char *created; /* RFC 3339; NULL */
    const char *author;
    const char *architecture;
    const char *variant;
    const char *os;
    const char *os_version;
    struct strs os_features;
    struct image_defaults config;
    struct image_rootfs rootfs;
    struct list history; /* of struct image_history, oldest first */
    const char *docker_version;
    const char *comment;
    const char *parent;
};

extern const struct json_table descriptor_table, platform_table, image_manifest_table, image_index_table, image_config_table,
    image_defaults_table, image_healthcheck_table, image_history_table, image_rootfs_table;

enum image_document { IMAGE_DOCUMENT_INDEX, IMAGE_DOCUMENT_MANIFEST };

/* What a document fetched as a manifest is: decided by its content and checked against `media_type` (of the HTTP answer or the
 * descriptor; NULL = unknown). -EINVAL: both at once, neither, or another type than announced; -EPROTONOSUPPORT: Docker schema 1.
 */
int image_document_kind(const char *text, size_t n, const char *media_type, struct error *e);

/* Decode with the checks that span fields: layers of known types, as many as diff_ids, bounds. */
int image_manifest_decode(const char *text, size_t n, struct arena *a, struct image_manifest *ret, struct error *e);
int image_index_decode(const char *text, size_t n, struct arena *a, struct image_index *ret, struct error *e);
int image_config_decode(const char *text, size_t n, struct arena *a, struct image_config *ret, struct error *e);

enum layer_compression { LAYER_PLAIN, LAYER_GZIP, LAYER_ZSTD, LAYER_DETECT };
/* By media type; LAYER_DETECT where the type does not say. -ENOTSUP: not a layer that can be unpacked (encrypted, foreign). */
int layer_compression_of(const char *media_type, struct error *e);
/* The OCI media type of a layer that is compressed so; NULL when there is none. */
const char *layer_media_type(int compression);
/* The OCI name of a Docker media type (itself if it is none). */
const char *media_type_to_oci(const char *media_type);
