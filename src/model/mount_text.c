#include "model/mount_text.h"

#include <ctype.h>
#include <string.h>

#include "base/id.h"
#include "model/units.h"

/* --- pieces ---------------------------------------------------------------------------------------------------------------- */

int mount_target_clean(const char *target, struct arena *a, const char **ret, struct error *e) {
    char *clean = arena_alloc(a, strlen(target) + 2), *out = clean;

    if (target[0] != '/')
        return error_set(e, -EINVAL, "invalid mount path: '%s' mount path must be absolute", target);
    for (const char *s = target; *s;) {
        size_t n = strcspn(s, "/");

        if (n == 2 && s[0] == '.' && s[1] == '.') {
            while (out > clean && *--out != '/') /* of the text: what is there inside is looked up later, once */
                ;
        } else if (n > 0 && !(n == 1 && s[0] == '.')) {
            *out++ = '/';
            memcpy(out, s, n);
            out += n;
        }
        s += n + (s[n] == '/');
    }
    *out = '\0';
    if (out == clean)
        return error_set(e, -EINVAL, "invalid specification: destination can't be '/'");
    *ret = clean;
    return 0;
}

/* "./data" and ".." are paths beside the user; everything else without a slash in front is a volume's name. */
static bool is_relative_path(const char *source) {
    return source[0] == '.' &&
           (source[1] == '\0' || source[1] == '/' || (source[1] == '.' && (source[2] == '\0' || source[2] == '/')));
}

static int source_absolute(const char **source, const char *cwd, struct arena *a, struct error *e) {
    if (!is_relative_path(*source))
        return 0;
    if (!cwd)
        return error_set(e, -EINVAL, "invalid mount config: \"%s\" is a relative path; give an absolute one", *source);
    *source = arena_printf(a, "%s/%s", cwd, *source);
    return 0;
}

static int volume_name_check(const char *name, struct error *e) {
    _cleanup_error_ struct error ignored = ERROR_INIT;

    if (strlen(name) >= 2 && name_check("volume name", name, &ignored) == 0)
        return 0;
    error_set(
        e, -EINVAL,
        "create %s: \"%s\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed",
        name, name);
    return error_hint(e, "if you intended to pass a host directory, use an absolute path");
}

static void add_option(struct mount_point *m, struct arena *a, const char *option, size_t n) {
    m->options = m->options ? arena_printf(a, "%s,%.*s", m->options, (int)n, option) : arena_strndup(a, option, n);
}

/* --- options of -v ----------------------------------------------------------------------------------------------------------- */

enum volume_option_what { OPT_BOOL_TRUE, OPT_BOOL_FALSE, OPT_PROPAGATION, OPT_FLAG, OPT_LABEL, OPT_READ_ONLY, OPT_RRO };

static const struct {
    const char *name;
    uint8_t what;
    uint16_t offset; /* of the bool in struct mount_point */
} volume_options[] = {
    {"ro", OPT_READ_ONLY, 0},
    {"rw", OPT_BOOL_TRUE, offsetof(struct mount_point, rw)},
    {"rro", OPT_RRO, 0},
    {"z", OPT_LABEL, 0},
    {"Z", OPT_LABEL, 0},
    {"U", OPT_BOOL_TRUE, offsetof(struct mount_point, chown)},
    {"O", OPT_BOOL_TRUE, offsetof(struct mount_point, overlay)},
    {"idmap", OPT_BOOL_TRUE, offsetof(struct mount_point, idmap)},
    {"nocopy", OPT_BOOL_TRUE, offsetof(struct mount_point, no_copy)},
    {"copy", OPT_BOOL_FALSE, offsetof(struct mount_point, no_copy)},
    {"bind", OPT_BOOL_TRUE, offsetof(struct mount_point, non_recursive)},
    {"rbind", OPT_BOOL_FALSE, offsetof(struct mount_point, non_recursive)},
    {"shared", OPT_PROPAGATION, 0},
    {"rshared", OPT_PROPAGATION, 0},
    {"slave", OPT_PROPAGATION, 0},
    {"rslave", OPT_PROPAGATION, 0},
    {"private", OPT_PROPAGATION, 0},
    {"rprivate", OPT_PROPAGATION, 0},
    {"exec", OPT_FLAG, 0},
    {"noexec", OPT_FLAG, 0},
    {"suid", OPT_FLAG, 0},
    {"nosuid", OPT_FLAG, 0},
    {"dev", OPT_FLAG, 0},
    {"nodev", OPT_FLAG, 0},
};

static bool volume_option_apply(struct mount_point *m, const char *option, size_t n, struct arena *a) {
    for (size_t i = 0; i < ARRAY_SIZE(volume_options); i++) {
        bool *flag = (bool *)((unsigned char *)m + volume_options[i].offset);

        if (strlen(volume_options[i].name) != n || memcmp(option, volume_options[i].name, n) != 0)
            continue;
        switch (volume_options[i].what) {
        case OPT_BOOL_TRUE: *flag = true; break;
        case OPT_BOOL_FALSE: *flag = false; break;
        case OPT_READ_ONLY: m->rw = false; break;
        case OPT_RRO:
            m->rw = false;
            m->read_only_recursive = true;
            break;
        case OPT_PROPAGATION: m->propagation = volume_options[i].name; break;
        case OPT_FLAG: add_option(m, a, option, n); break;
        default: break; /* z, Z: labels of SELinux, kept in `mode` */
        }
        return true;
    }
    return false;
}

static bool volume_mode_is_valid(const char *mode) {
    struct mount_point scratch = {0};
    _cleanup_arena_ struct arena a = ARENA_INIT;

    for (const char *s = mode;; s++) {
        size_t n = strcspn(s, ",");

        if (!volume_option_apply(&scratch, s, n, &a))
            return false;
        s += n;
        if (!*s)
            return true;
    }
}

static int volume_mode_apply(struct mount_point *m, const char *mode, struct arena *a, const char *text, struct error *e) {
    const char *propagation = m->propagation;
    int exclusive = 0, propagations = 0;

    if (!volume_mode_is_valid(mode))
        return error_set(e, -EINVAL, "invalid volume specification: '%s': invalid mode: %s", text, mode);
    for (const char *s = mode;; s++) {
        size_t n = strcspn(s, ",");

        exclusive += (n == 2 && (memcmp(s, "ro", 2) == 0 || memcmp(s, "rw", 2) == 0)) || (n == 3 && memcmp(s, "rro", 3) == 0);
        m->propagation = NULL;
        (void)volume_option_apply(m, s, n, a);
        propagations += m->propagation != NULL;
        propagation = m->propagation ? m->propagation : propagation;
        s += n;
        if (!*s)
            break;
    }
    m->propagation = propagation;
    if (exclusive > 1 || propagations > 1)
        return error_set(e, -EINVAL, "invalid volume specification: '%s': invalid mode: %s", text, mode);
    m->mode = mode;
    return 0;
}

/* --- -v ---------------------------------------------------------------------------------------------------------------------- */

/* Splits at the colons, at most into three. */
static size_t split_colons(const char *text, struct arena *a, const char *part[4]) {
    size_t n = 0;

    for (const char *s = text; n < 4; s++) {
        size_t length = strcspn(s, ":");

        part[n++] = arena_strndup(a, s, length);
        s += length;
        if (!*s)
            break;
    }
    return n;
}

static int volume_source(struct mount_point *m, const char *source, const char *cwd, struct arena *a, struct error *e) {
    int r = source_absolute(&source, cwd, a, e);

    if (r < 0)
        return r;
    if (source[0] == '/') {
        m->type = "bind";
        m->source = source;
        m->create_source = true;
        return 0;
    }
    m->type = "volume";
    m->name = source;
    m->driver = "local";
    return volume_name_check(source, e);
}

int volume_text_parse(const char *text, const char *cwd, struct arena *a, struct mount_point *ret, struct error *e) {
    struct mount_point m = {.rw = true, .mode = ""};
    const char *part[4], *source = NULL, *target, *mode = NULL;
    size_t n = split_colons(text, a, part);
    int r;

    if (n > 3 || !part[0][0] || (n > 1 && !part[1][0]) || (n > 2 && !part[2][0]))
        return error_set(e, -EINVAL, "invalid spec: %s: empty section between colons or too many colons", text);
    target = part[0];
    if (n == 2 && volume_mode_is_valid(part[1])) {
        mode = part[1];
    } else if (n >= 2) {
        source = part[0];
        target = part[1];
        mode = n == 3 ? part[2] : NULL;
    }
    r = mount_target_clean(target, a, &m.destination, e);
    if (r == 0 && mode)
        r = volume_mode_apply(&m, mode, a, text, e);
    if (r < 0)
        return r;
    if (source) {
        r = volume_source(&m, source, cwd, a, e);
        if (r < 0)
            return r;
    } else {
        m.type = "volume";
        m.driver = "local";
        m.anonymous = true;
    }
    if (!m.propagation && strcmp(m.type, "bind") == 0)
        m.propagation = "rprivate";
    *ret = m;
    return 0;
}

/* --- --mount ------------------------------------------------------------------------------------------------------------------ */

/* Next field of a line of comma-separated values; a field in double quotes may hold commas, "" in it is one quote. False at the
 * end. */
static bool next_field(const char **at, struct arena *a, const char **ret) {
    const char *s = *at;
    char *out, *field;

    if (!s)
        return false;
    field = out = arena_alloc(a, strlen(s) + 1);
    if (*s == '"') {
        for (s++; *s && !(*s == '"' && s[1] != '"'); s++) {
            s += *s == '"';
            *out++ = *s;
        }
        s += *s == '"';
    }
    for (; *s && *s != ','; s++)
        *out++ = *s;
    *at = *s ? s + 1 : NULL;
    *ret = field;
    return true;
}

/* Which struct of the request a key needs; what it may be mixed with. */
enum mount_key_kind { KEY_STRING, KEY_BOOL, KEY_SPECIAL };
enum mount_part { PART_COMMON, PART_BIND, PART_VOLUME, PART_TMPFS, PART_IMAGE };
static const char *const part_types[] = {"", "bind", "volume", "tmpfs", "image"};

static const struct mount_key {
    const char *name;
    uint8_t part;    /* enum mount_part */
    uint8_t kind;    /* enum mount_key_kind */
    uint16_t offset; /* into the part's struct */
} mount_keys[] = {
    {"type", PART_COMMON, KEY_STRING, offsetof(struct mount_request, type)},
    {"source", PART_COMMON, KEY_STRING, offsetof(struct mount_request, source)},
    {"src", PART_COMMON, KEY_STRING, offsetof(struct mount_request, source)},
    {"target", PART_COMMON, KEY_STRING, offsetof(struct mount_request, target)},
    {"dst", PART_COMMON, KEY_STRING, offsetof(struct mount_request, target)},
    {"destination", PART_COMMON, KEY_STRING, offsetof(struct mount_request, target)},
    {"readonly", PART_COMMON, KEY_BOOL, offsetof(struct mount_request, read_only)},
    {"ro", PART_COMMON, KEY_BOOL, offsetof(struct mount_request, read_only)},
    {"consistency", PART_COMMON, KEY_STRING, offsetof(struct mount_request, consistency)},
    {"chown", PART_COMMON, KEY_BOOL, offsetof(struct mount_request, chown)},
    {"U", PART_COMMON, KEY_BOOL, offsetof(struct mount_request, chown)},
    {"idmap", PART_COMMON, KEY_BOOL, offsetof(struct mount_request, idmap)},
    {"bind-propagation", PART_BIND, KEY_STRING, offsetof(struct bind_options, propagation)},
    {"bind-nonrecursive", PART_BIND, KEY_BOOL, offsetof(struct bind_options, non_recursive)},
    {"bind-create-src", PART_BIND, KEY_BOOL, offsetof(struct bind_options, create_mountpoint)},
    {"bind-recursive", PART_BIND, KEY_SPECIAL, 0},
    {"volume-nocopy", PART_VOLUME, KEY_BOOL, offsetof(struct volume_options, no_copy)},
    {"volume-subpath", PART_VOLUME, KEY_STRING, offsetof(struct volume_options, subpath)},
    {"volume-label", PART_VOLUME, KEY_SPECIAL, 0},
    {"volume-driver", PART_VOLUME, KEY_SPECIAL, 0},
    {"volume-opt", PART_VOLUME, KEY_SPECIAL, 0},
    {"image-subpath", PART_IMAGE, KEY_STRING, offsetof(struct image_mount_options, subpath)},
    {"tmpfs-size", PART_TMPFS, KEY_SPECIAL, 0},
    {"tmpfs-mode", PART_TMPFS, KEY_SPECIAL, 0},
};

static void *part_struct(struct mount_request *m, enum mount_part part, struct arena *a) {
    switch (part) {
    case PART_BIND: return m->bind ? m->bind : (m->bind = arena_new(a, struct bind_options));
    case PART_VOLUME: return m->volume ? m->volume : (m->volume = arena_new(a, struct volume_options));
    case PART_TMPFS: return m->tmpfs ? m->tmpfs : (m->tmpfs = arena_new(a, struct tmpfs_options));
    case PART_IMAGE: return m->image ? m->image : (m->image = arena_new(a, struct image_mount_options));
    case PART_COMMON: break;
    }
    return m;
}

static int set_recursive(struct bind_options *bind, const char *value, struct error *e) {
    static const char *const values[] = {"enabled", "disabled", "writable", "readonly"};

    if (strcmp(value, values[0]) == 0)
        return 0;
    if (strcmp(value, values[1]) == 0)
        bind->non_recursive = true;
    else if (strcmp(value, values[2]) == 0)
        bind->read_only_non_recursive = true;
    else if (strcmp(value, values[3]) == 0)
        bind->read_only_force_recursive = true;
    else
        return error_set(e, -EINVAL,
                         "invalid value for bind-recursive: %s (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")",
                         value);
    return 0;
}

static int set_pair(struct map *m, const char *value, const char *key, struct arena *a, struct error *e) {
    const char *equals = strchr(value, '=');

    if (!equals || equals == value)
        return error_set(e, -EINVAL, "invalid value for %s: \"%s\" is not KEY=VALUE", key, value);
    map_set(a, m, arena_strndup(a, value, (size_t)(equals - value)), arena_strdup(a, equals + 1));
    return 0;
}

static struct volume_driver_config *driver_of(struct volume_options *v, struct arena *a) {
    if (!v->driver_config)
        v->driver_config = arena_new(a, struct volume_driver_config);
    return v->driver_config;
}

static int set_special(const char *name, void *part, const char *value, struct arena *a, struct error *e) {
    int64_t number;

    if (strcmp(name, "bind-recursive") == 0)
        return set_recursive(part, value, e);
    if (strcmp(name, "volume-label") == 0) {
        const char *equals = strchr(value, '=');

        map_set(a, &((struct volume_options *)part)->labels, equals ? arena_strndup(a, value, (size_t)(equals - value)) : value,
                equals ? equals + 1 : "");
        return 0;
    }
    if (strcmp(name, "volume-driver") == 0) {
        driver_of(part, a)->name = value;
        return 0;
    }
    if (strcmp(name, "volume-opt") == 0)
        return set_pair(&driver_of(part, a)->options, value, name, a, e);
    if (strcmp(name, "tmpfs-size") == 0) {
        if (size_parse(value, &number, NULL) < 0 || number < 0)
            return error_set(e, -EINVAL, "invalid value for tmpfs-size: %s", value);
        ((struct tmpfs_options *)part)->size_bytes = number;
        return 0;
    }
    if (strlen(value) == 0 || strspn(value, "01234567") != strlen(value) || strlen(value) > 5)
        return error_set(e, -EINVAL, "invalid value for tmpfs-mode: %s (octal, as 1777)", value);
    ((struct tmpfs_options *)part)->mode = (uint32_t)strtoul(value, NULL, 8);
    return 0;
}

static const struct mount_key *mount_key_find(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(mount_keys); i++)
        if (strcasecmp(mount_keys[i].name, name) == 0)
            return &mount_keys[i];
    return NULL;
}

static int set_field(struct mount_request *m, const char *field, struct arena *a, struct error *e) {
    const char *equals = strchr(field, '='), *value = equals ? equals + 1 : NULL;
    const char *name = equals ? arena_strndup(a, field, (size_t)(equals - field)) : field;
    const struct mount_key *key = mount_key_find(name);
    unsigned char *part;

    if (!key)
        return value ? error_set(e, -EINVAL, "unexpected key '%s' in '%s'", name, field)
                     : error_set(e, -EINVAL, "invalid field '%s' must be a key=value pair", field);
    part = part_struct(m, key->part, a);
    if (key->kind == KEY_BOOL) {
        bool *flag = (bool *)(part + key->offset);

        *flag = true;
        if (value && bool_parse(value, flag) < 0)
            return error_set(e, -EINVAL, "invalid value for %s: %s", name, value);
        return 0;
    }
    if (!value)
        return error_set(e, -EINVAL, "invalid field '%s' must be a key=value pair", field);
    if (key->kind == KEY_SPECIAL)
        return set_special(key->name, part, value, a, e);
    *(const char **)(part + key->offset) = value;
    return 0;
}

int mount_text_parse(const char *text, const char *cwd, struct arena *a, struct mount_request *ret, struct error *e) {
    struct mount_request m = {0};
    const char *at = text, *field;
    int r;

    if (!*text)
        return error_set(e, -EINVAL, "value is empty");
    while (next_field(&at, a, &field)) {
        r = set_field(&m, field, a, e);
        if (r < 0)
            return r;
    }
    if (!m.type || !*m.type)
        m.type = "volume";
    if (m.source && strcmp(m.type, "bind") == 0) {
        r = source_absolute(&m.source, cwd, a, e);
        if (r < 0)
            return r;
    }
    *ret = m;
    return 0;
}

/* --- one form for all ------------------------------------------------------------------------------------------------------------
 */

static int check_parts(const struct mount_request *m, const char *type, struct error *e) {
    const void *parts[] = {NULL, m->bind, m->volume, m->tmpfs, m->image};

    for (size_t i = 1; i < ARRAY_SIZE(parts); i++)
        if (parts[i] && strcmp(part_types[i], type) != 0)
            return error_set(e, -EINVAL, "cannot mix '%s-*' options with mount type '%s'", part_types[i], type);
    return 0;
}

static int point_bind(const struct mount_request *m, struct mount_point *p, struct error *e) {
    static const char *const allowed[] = {"private", "rprivate", "shared", "rshared", "slave", "rslave"};
    const struct bind_options *bind = m->bind;
    bool good = false;

    if (!m->source || !*m->source)
        return error_set(e, -EINVAL, "invalid mount config for type \"bind\": field Source must not be empty");
    if (m->source[0] != '/')
        return error_set(e, -EINVAL, "invalid mount config for type \"bind\": invalid mount path: '%s' mount path must be absolute",
                         m->source);
    p->source = m->source;
    p->propagation = bind && bind->propagation && *bind->propagation ? bind->propagation : "rprivate";
    for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
        good = good || strcmp(allowed[i], p->propagation) == 0;
    if (!good)
        return error_set(e, -EINVAL, "invalid propagation mode: %s", p->propagation);
    if (!bind)
        return 0;
    if (bind->read_only_force_recursive && !m->read_only)
        return error_set(e, -EINVAL, "option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction");
    p->non_recursive = bind->non_recursive;
    p->create_source = bind->create_mountpoint;
    p->read_only_non_recursive = bind->read_only_non_recursive;
    p->read_only_recursive = bind->read_only_force_recursive;
    return 0;
}

static int point_volume(const struct mount_request *m, struct mount_point *p, struct error *e) {
    p->anonymous = !m->source || !*m->source;
    p->name = p->anonymous ? NULL : m->source;
    p->driver = "local";
    if (m->volume) {
        p->no_copy = m->volume->no_copy;
        p->subpath = m->volume->subpath;
        if (m->volume->driver_config && m->volume->driver_config->name && *m->volume->driver_config->name)
            p->driver = m->volume->driver_config->name;
    }
    return p->anonymous ? 0 : volume_name_check(p->name, e);
}

static int point_tmpfs(const struct mount_request *m, struct mount_point *p, struct arena *a, struct error *e) {
    if (m->source && *m->source)
        return error_set(e, -EINVAL, "invalid mount config for type \"tmpfs\": field Source must not be specified");
    if (m->tmpfs && m->tmpfs->size_bytes)
        p->options = arena_printf(a, "size=%lld", (long long)m->tmpfs->size_bytes);
    if (m->tmpfs && m->tmpfs->mode)
        p->options = arena_printf(a, "%s%smode=%o", p->options ? p->options : "", p->options ? "," : "", m->tmpfs->mode);
    return 0;
}

int mount_request_point(const struct mount_request *m, struct arena *a, struct mount_point *ret, struct error *e) {
    struct mount_point p = {
        .type = m->type && *m->type ? m->type : "volume", .mode = "", .rw = !m->read_only, .chown = m->chown, .idmap = m->idmap};
    int r;

    if (!m->target || !*m->target)
        return error_set(e, -EINVAL, "invalid mount config for type \"%s\": field Target must not be empty", p.type);
    r = mount_target_clean(m->target, a, &p.destination, e);
    if (r == 0)
        r = check_parts(m, p.type, e);
    if (r < 0)
        return r;
    if (strcmp(p.type, "bind") == 0) {
        r = point_bind(m, &p, e);
    } else if (strcmp(p.type, "volume") == 0) {
        r = point_volume(m, &p, e);
    } else if (strcmp(p.type, "tmpfs") == 0) {
        r = point_tmpfs(m, &p, a, e);
    } else if (strcmp(p.type, "image") == 0) {
        p.source = m->source;
        p.subpath = m->image ? m->image->subpath : NULL;
        if (!m->source || !*m->source)
            r = error_set(e, -EINVAL, "invalid mount config for type \"image\": field Source must not be empty");
    } else {
        r = error_set(e, -EINVAL, "mount type unknown: \"%s\"", p.type);
    }
    if (r == 0)
        *ret = p;
    return r;
}

/* --- --tmpfs ---------------------------------------------------------------------------------------------------------------- */

static bool tmpfs_option_is_known(const char *option, size_t n) {
    static const char *const flags[] = {
        "rw",    "ro",      "exec",     "noexec",     "suid",     "nosuid",     "dev",         "nodev",     "sync",       "async",
        "atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime", "strictatime", "tmpcopyup", "notmpcopyup"};
    static const char *const keys[] = {"size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks=", "mpol=", "huge="};

    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        if (strlen(flags[i]) == n && memcmp(option, flags[i], n) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (n > strlen(keys[i]) && memcmp(option, keys[i], strlen(keys[i])) == 0)
            return true;
    return false;
}

int tmpfs_text_parse(const char *path, const char *options, struct arena *a, struct mount_point *ret, struct error *e) {
    struct mount_point p = {.type = "tmpfs", .mode = options ? options : "", .rw = true};
    int r = mount_target_clean(path, a, &p.destination, e);

    if (r < 0)
        return r;
    for (const char *s = options ? options : ""; *s;) {
        size_t n = strcspn(s, ",");

        if (!tmpfs_option_is_known(s, n))
            return error_set(e, -EINVAL, "invalid tmpfs option [\"%.*s\"]", (int)n, s);
        if (n == 2 && memcmp(s, "ro", 2) == 0)
            p.rw = false;
        s += n + (s[n] == ',');
    }
    p.options = options && *options ? options : NULL;
    *ret = p;
    return 0;
}
