#include "model/image_spec.h"

#include <string.h>

#include "model/reference.h"

#define REQ  JSON_REQUIRED
#define OMIT JSON_OMIT

/* --- tables --------------------------------------------------------------------------------------------------------------- */

static const struct json_field platform_fields[] = {
    JSON_FIELD(struct platform, architecture, "architecture", JSON_STR, OMIT),
    JSON_FIELD(struct platform, os, "os", JSON_STR, OMIT),
    JSON_FIELD(struct platform, os_version, "os.version", JSON_STR, OMIT),
    JSON_FIELD(struct platform, os_features, "os.features", JSON_STRS, OMIT),
    JSON_FIELD(struct platform, variant, "variant", JSON_STR, OMIT),
    JSON_END,
};
const struct json_table platform_table = JSON_TABLE("platform", struct platform, platform_fields);

static const struct json_field descriptor_fields[] = {
    JSON_FIELD(struct descriptor, media_type, "mediaType", JSON_STR, OMIT),
    {.name = "digest", .kind = JSON_STR, .flags = REQ, .offset = offsetof(struct descriptor, digest), .check = digest_check},
    JSON_FIELD(struct descriptor, size, "size", JSON_U64, REQ),
    JSON_FIELD(struct descriptor, artifact_type, "artifactType", JSON_STR, OMIT),
    JSON_FIELD(struct descriptor, annotations, "annotations", JSON_MAP, OMIT),
    JSON_FIELD_OF(struct descriptor, platform, "platform", JSON_OBJ_PTR, OMIT, &platform_table),
    JSON_END,
};
const struct json_table descriptor_table = JSON_TABLE("descriptor", struct descriptor, descriptor_fields);

static const struct json_field manifest_fields[] = {
    JSON_FIELD(struct image_manifest, schema_version, "schemaVersion", JSON_U32, REQ),
    JSON_FIELD(struct image_manifest, media_type, "mediaType", JSON_STR, OMIT),
    JSON_FIELD_OF(struct image_manifest, config, "config", JSON_OBJ, REQ, &descriptor_table),
    JSON_FIELD_OF(struct image_manifest, layers, "layers", JSON_OBJS, REQ, &descriptor_table),
    JSON_FIELD(struct image_manifest, annotations, "annotations", JSON_MAP, OMIT),
    JSON_END,
};
const struct json_table image_manifest_table = JSON_TABLE("image manifest", struct image_manifest, manifest_fields);

static const struct json_field index_fields[] = {
    JSON_FIELD(struct image_index, schema_version, "schemaVersion", JSON_U32, REQ),
    JSON_FIELD(struct image_index, media_type, "mediaType", JSON_STR, OMIT),
    JSON_FIELD_OF(struct image_index, manifests, "manifests", JSON_OBJS, REQ, &descriptor_table),
    JSON_FIELD(struct image_index, annotations, "annotations", JSON_MAP, OMIT),
    JSON_END,
};
const struct json_table image_index_table = JSON_TABLE("image index", struct image_index, index_fields);

static const struct json_field healthcheck_fields[] = {
    JSON_FIELD(struct image_healthcheck, test, "Test", JSON_STRS, OMIT),
    JSON_FIELD(struct image_healthcheck, interval, "Interval", JSON_I64, OMIT),
    JSON_FIELD(struct image_healthcheck, timeout, "Timeout", JSON_I64, OMIT),
    JSON_FIELD(struct image_healthcheck, start_period, "StartPeriod", JSON_I64, OMIT),
    JSON_FIELD(struct image_healthcheck, start_interval, "StartInterval", JSON_I64, OMIT),
    JSON_FIELD(struct image_healthcheck, retries, "Retries", JSON_I32, OMIT),
    JSON_END,
};
const struct json_table image_healthcheck_table = JSON_TABLE("health check", struct image_healthcheck, healthcheck_fields);

static const struct json_field defaults_fields[] = {
    JSON_FIELD(struct image_defaults, user, "User", JSON_STR, OMIT),
    JSON_FIELD(struct image_defaults, exposed_ports, "ExposedPorts", JSON_KEYS, OMIT),
    JSON_FIELD(struct image_defaults, env, "Env", JSON_STRS, OMIT),
    JSON_FIELD(struct image_defaults, entrypoint, "Entrypoint", JSON_STRS, OMIT),
    JSON_FIELD(struct image_defaults, cmd, "Cmd", JSON_STRS, OMIT),
    JSON_FIELD_OF(struct image_defaults, healthcheck, "Healthcheck", JSON_OBJ_PTR, OMIT, &image_healthcheck_table),
    JSON_FIELD(struct image_defaults, args_escaped, "ArgsEscaped", JSON_BOOL, OMIT),
    JSON_FIELD(struct image_defaults, volumes, "Volumes", JSON_KEYS, OMIT),
    JSON_FIELD(struct image_defaults, working_dir, "WorkingDir", JSON_STR, OMIT),
    JSON_FIELD(struct image_defaults, on_build, "OnBuild", JSON_STRS, OMIT),
    JSON_FIELD(struct image_defaults, labels, "Labels", JSON_MAP, OMIT),
    JSON_FIELD(struct image_defaults, stop_signal, "StopSignal", JSON_STR, OMIT),
    JSON_FIELD(struct image_defaults, stop_timeout, "StopTimeout", JSON_OPT_I64, OMIT),
    JSON_FIELD(struct image_defaults, shell, "Shell", JSON_STRS, OMIT),
    JSON_END,
};
const struct json_table image_defaults_table = JSON_TABLE("image defaults", struct image_defaults, defaults_fields);

static const struct json_field history_fields[] = {
    JSON_FIELD(struct image_history, created, "created", JSON_STR, OMIT),
    JSON_FIELD(struct image_history, created_by, "created_by", JSON_STR, OMIT),
    JSON_FIELD(struct image_history, author, "author", JSON_STR, OMIT),
    JSON_FIELD(struct image_history, comment, "comment", JSON_STR, OMIT),
    JSON_FIELD(struct image_history, empty_layer, "empty_layer", JSON_BOOL, OMIT),
    JSON_END,
};
const struct json_table image_history_table = JSON_TABLE("history", struct image_history, history_fields);

static const struct json_field rootfs_fields[] = {
    JSON_FIELD(struct image_rootfs, type, "type", JSON_STR, 0),
    JSON_FIELD(struct image_rootfs, diff_ids, "diff_ids", JSON_STRS, 0),
    JSON_END,
};
const struct json_table image_rootfs_table = JSON_TABLE("rootfs", struct image_rootfs, rootfs_fields);

static const struct json_field config_fields[] = {
    JSON_FIELD(struct image_config, architecture, "architecture", JSON_STR, 0),
    JSON_FIELD(struct image_config, variant, "variant", JSON_STR, OMIT),
    JSON_FIELD(struct image_config, author, "author", JSON_STR, OMIT),
    JSON_FIELD(struct image_config, comment, "comment", JSON_STR, OMIT),
    JSON_FIELD_OF(struct image_config, config, "config", JSON_OBJ, 0, &image_defaults_table),
    JSON_FIELD(struct image_config, created, "created", JSON_STR, OMIT),
    JSON_FIELD(struct image_config, docker_version, "docker_version", JSON_STR, OMIT),
    JSON_FIELD_OF(struct image_config, history, "history", JSON_OBJS, OMIT, &image_history_table),
    JSON_FIELD(struct image_config, os, "os", JSON_STR, 0),
    JSON_FIELD(struct image_config, os_version, "os.version", JSON_STR, OMIT),
    JSON_FIELD(struct image_config, os_features, "os.features", JSON_STRS, OMIT),
    JSON_FIELD(struct image_config, parent, "parent", JSON_STR, OMIT),
    JSON_FIELD_OF(struct image_config, rootfs, "rootfs", JSON_OBJ, REQ, &image_rootfs_table),
    JSON_END,
};
const struct json_table image_config_table = JSON_TABLE("image configuration", struct image_config, config_fields);

/* --- what a document is --------------------------------------------------------------------------------------------------- */

/* Only the keys that tell one kind from the other; their values are read by the real tables. */
struct document_keys {
    const char *media_type;
    const char *manifests, *layers, *config, *fs_layers;
    uint32_t schema_version;
};
static const struct json_field document_fields[] = {
    JSON_FIELD(struct document_keys, media_type, "mediaType", JSON_STR, 0),
    JSON_FIELD(struct document_keys, manifests, "manifests", JSON_RAW, 0),
    JSON_FIELD(struct document_keys, layers, "layers", JSON_RAW, 0),
    JSON_FIELD(struct document_keys, config, "config", JSON_RAW, 0),
    JSON_FIELD(struct document_keys, fs_layers, "fsLayers", JSON_RAW, 0),
    JSON_FIELD(struct document_keys, schema_version, "schemaVersion", JSON_U32, 0),
    JSON_END,
};
static const struct json_table document_table = JSON_TABLE("manifest", struct document_keys, document_fields);

static const struct {
    const char *media_type;
    enum image_document kind;
} document_types[] = {
    {MEDIA_OCI_INDEX, IMAGE_DOCUMENT_INDEX},
    {MEDIA_DOCKER_LIST, IMAGE_DOCUMENT_INDEX},
    {MEDIA_OCI_MANIFEST, IMAGE_DOCUMENT_MANIFEST},
    {MEDIA_DOCKER_MANIFEST, IMAGE_DOCUMENT_MANIFEST},
};

static int kind_of_media_type(const char *media_type, struct error *e) {
    for (size_t i = 0; i < ARRAY_SIZE(document_types); i++)
        if (strcmp(media_type, document_types[i].media_type) == 0)
            return document_types[i].kind;
    return error_set(e, -EINVAL, "unsupported manifest media type %.200s", media_type);
}

int image_document_kind(const char *text, size_t n, const char *media_type, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct document_keys keys;
    int r = json_decode(&document_table, text, n, &a, &keys, e), kind;

    if (r < 0)
        return r;
    if (keys.fs_layers || keys.schema_version == 1) {
        error_set(e, -EPROTONOSUPPORT, "the image is in Docker's schema 1 format, which is no longer supported");
        return error_hint(e, "push it again with a current client");
    }
    if (keys.schema_version != 2)
        return error_set(e, -EINVAL, "manifest: schemaVersion is %u, not 2", keys.schema_version);
    /* CVE-2021-41190: what is both would be read as one thing here and as another elsewhere, under one digest. */
    if (keys.manifests && (keys.layers || keys.config))
        return error_set(e, -EINVAL, "the document is both an index and a manifest");
    if (!keys.manifests && !(keys.layers && keys.config))
        return error_set(e, -EINVAL, "the document is neither an index nor a manifest of an image");
    kind = keys.manifests ? IMAGE_DOCUMENT_INDEX : IMAGE_DOCUMENT_MANIFEST;
    if (keys.media_type) {
        r = kind_of_media_type(keys.media_type, e);
        if (r < 0)
            return r;
        if (r != kind)
            return error_set(e, -EINVAL, "the document says that it is %s, but its content is another", keys.media_type);
    }
    if (media_type) {
        if (keys.media_type && strcmp(media_type, keys.media_type) != 0)
            return error_set(e, -EINVAL, "the document says that it is %.200s, but was announced as %.200s", keys.media_type,
                             media_type);
        r = kind_of_media_type(media_type, e);
        if (r < 0)
            return r;
        if (r != kind)
            return error_set(e, -EINVAL, "the document was announced as %.200s, but its content is another", media_type);
    }
    return kind;
}

/* --- decoding with the checks that span fields ---------------------------------------------------------------------------- */

static int check_sha256(const struct descriptor *d, struct error *e) {
    if (digest_is_sha256(d->digest))
        return 0;
    return error_set(e, -ENOTSUP, "%s: only sha256 digests are supported", d->digest);
}

int image_manifest_decode(const char *text, size_t n, struct arena *a, struct image_manifest *ret, struct error *e) {
    struct image_manifest m;
    int r = n > IMAGE_MANIFEST_MAX ? error_set(e, -EFBIG, "image manifest is larger than %zu bytes", IMAGE_MANIFEST_MAX) : 0;

    if (r == 0)
        r = json_decode(&image_manifest_table, text, n, a, &m, e);
    if (r == 0)
        r = check_sha256(&m.config, e);
    if (r < 0)
        return r;
    if (m.layers.n > IMAGE_LAYERS_MAX)
        return error_set(e, -E2BIG, "the image has %zu layers; overlay file systems take %d", m.layers.n, IMAGE_LAYERS_MAX);
    if (m.config.size > IMAGE_CONFIG_MAX)
        return error_set(e, -EFBIG, "the image's configuration is larger than %zu bytes", IMAGE_CONFIG_MAX);
    for (size_t i = 0; i < m.layers.n; i++) {
        r = check_sha256(LIST_AT(struct descriptor, &m.layers, i), e);
        if (r < 0)
            return error_wrap(e, r, "layer %zu", i);
    }
    *ret = m;
    return 0;
}

int image_index_decode(const char *text, size_t n, struct arena *a, struct image_index *ret, struct error *e) {
    if (n > IMAGE_MANIFEST_MAX)
        return error_set(e, -EFBIG, "image index is larger than %zu bytes", IMAGE_MANIFEST_MAX);
    return json_decode(&image_index_table, text, n, a, ret, e);
}

int image_config_decode(const char *text, size_t n, struct arena *a, struct image_config *ret, struct error *e) {
    struct image_config c;
    int r = n > IMAGE_CONFIG_MAX ? error_set(e, -EFBIG, "image configuration is larger than %zu bytes", IMAGE_CONFIG_MAX) : 0;

    if (r == 0)
        r = json_decode(&image_config_table, text, n, a, &c, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < c.rootfs.diff_ids.n; i++)
        if (!digest_is_sha256(c.rootfs.diff_ids.v[i]))
            return error_set(e, -EINVAL, "rootfs.diff_ids[%zu]: invalid digest \"%.200s\"", i, c.rootfs.diff_ids.v[i]);
    for (size_t i = 0; i < c.config.env.n; i++) /* CVE-2026-57231: "*" or "NAME" alone would mean the caller's own environment */
        if (c.config.env.v[i][0] == '=' || !strchr(c.config.env.v[i], '='))
            return error_set(e, -EINVAL, "config.Env[%zu]: \"%.200s\" is not NAME=VALUE", i, c.config.env.v[i]);
    *ret = c;
    return 0;
}

/* --- media types ---------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *docker, *oci;
    int compression; /* of layers; -1 = no layer */
} media_types[] = {
    {MEDIA_DOCKER_LAYER_GZIP, MEDIA_OCI_LAYER_GZIP, LAYER_GZIP},
    {MEDIA_DOCKER_LAYER, MEDIA_OCI_LAYER, LAYER_PLAIN},
    {MEDIA_DOCKER_LAYER_ZSTD, MEDIA_OCI_LAYER_ZSTD, LAYER_ZSTD},
    {MEDIA_DOCKER_CONFIG, MEDIA_OCI_CONFIG, -1},
    {MEDIA_DOCKER_MANIFEST, MEDIA_OCI_MANIFEST, -1},
    {MEDIA_DOCKER_LIST, MEDIA_OCI_INDEX, -1},
};

int layer_compression_of(const char *media_type, struct error *e) {
    if (!media_type || media_type[0] == '\0')
        return LAYER_DETECT;
    for (size_t i = 0; i < ARRAY_SIZE(media_types); i++)
        if (media_types[i].compression >= 0 &&
            (strcmp(media_type, media_types[i].docker) == 0 || strcmp(media_type, media_types[i].oci) == 0))
            /* Many images in the wild carry plain archives as "gzip" and the other way round, so the bytes decide. */
            return LAYER_DETECT;
    return error_set(e, -ENOTSUP, "a layer of type %.200s cannot be unpacked", media_type);
}

const char *layer_media_type(int compression) {
    for (size_t i = 0; i < ARRAY_SIZE(media_types); i++)
        if (compression >= 0 && media_types[i].compression == compression)
            return media_types[i].oci;
    return NULL;
}

const char *media_type_to_oci(const char *media_type) {
    for (size_t i = 0; i < ARRAY_SIZE(media_types); i++)
        if (strcmp(media_type, media_types[i].docker) == 0)
            return media_types[i].oci;
    return media_type;
}
