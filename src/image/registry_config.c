#include "image/registry_config.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/toml.h"
#include "image/registry_url.h"
#include "model/reference.h"

#define CONFIG_FILE_MAX ((size_t)4 << 20)
#define DROP_INS_MAX    64

/* The file as it is written; a struct registries_config is made of one or more of these. */
struct file_mirror {
    const char *location;
    bool insecure;
    const char *pull_from;
};

struct file_rule {
    const char *prefix, *location;
    bool insecure, blocked, by_digest;
    struct list mirrors;
};

struct file {
    struct strs search, helpers;
    struct list rules;
    struct map aliases;
};

static const struct json_field mirror_fields[] = {
    JSON_FIELD(struct file_mirror, location, "location", JSON_STR, JSON_REQUIRED),
    JSON_FIELD(struct file_mirror, insecure, "insecure", JSON_BOOL, 0),
    JSON_FIELD(struct file_mirror, pull_from, "pull-from-mirror", JSON_STR, 0),
    JSON_END,
};
static const struct json_table mirror_table = JSON_TABLE("mirror", struct file_mirror, mirror_fields);

static const struct json_field rule_fields[] = {
    JSON_FIELD(struct file_rule, prefix, "prefix", JSON_STR, 0),
    JSON_FIELD(struct file_rule, location, "location", JSON_STR, 0),
    JSON_FIELD(struct file_rule, insecure, "insecure", JSON_BOOL, 0),
    JSON_FIELD(struct file_rule, blocked, "blocked", JSON_BOOL, 0),
    JSON_FIELD(struct file_rule, by_digest, "mirror-by-digest-only", JSON_BOOL, 0),
    JSON_FIELD_OF(struct file_rule, mirrors, "mirror", JSON_OBJS, 0, &mirror_table),
    JSON_END,
};
static const struct json_table rule_table = JSON_TABLE("registry", struct file_rule, rule_fields);

static const struct json_field file_fields[] = {
    JSON_FIELD(struct file, search, "unqualified-search-registries", JSON_STRS, 0),
    JSON_FIELD(struct file, helpers, "credential-helpers", JSON_STRS, 0),
    JSON_FIELD_OF(struct file, rules, "registry", JSON_OBJS, 0, &rule_table),
    JSON_FIELD(struct file, aliases, "aliases", JSON_MAP, 0),
    JSON_END,
};
static const struct json_table file_table = JSON_TABLE("registries.conf", struct file, file_fields);

/* "host[:port][/path]" or "*.domain": the engine connects to what stands here, so it must be no more than that. */
static int check_location(const char *text, bool wildcard, const char *file, struct arena *a, struct error *e) {
    const char *slash = strchr(text, '/'), *host;
    uint16_t port;
    const char *from = wildcard && !strncmp(text, "*.", 2) ? text + 2 : text;
    int r;

    if (slash && (!slash[1] || strstr(slash, "..") || strpbrk(slash, "?#@ \\")))
        return error_set(e, -EINVAL, "%s: not a registry's address: %s", file, text);
    r = host_split(slash ? arena_strndup(a, from, (size_t)(slash - from)) : from, a, &host, &port, e);
    return r < 0 ? error_wrap(e, r, "%s", file) : 0;
}

static struct registry_rule *rule_for(struct arena *a, struct registries_config *c, const char *prefix) {
    struct registry_rule *rule;

    for (size_t i = 0; i < c->rules.n; i++) {
        rule = LIST_AT(struct registry_rule, &c->rules, i);
        if (!strcmp(rule->prefix, prefix)) { /* a later file replaces the rule as a whole */
            *rule = (struct registry_rule){.prefix = prefix};
            return rule;
        }
    }
    rule = LIST_ADD(a, struct registry_rule, &c->rules);
    rule->prefix = prefix;
    return rule;
}

static int mirror_use_parse(const char *text, bool by_digest, enum mirror_use *ret) {
    if (!text || !*text || !strcmp(text, "all"))
        *ret = by_digest ? MIRROR_DIGEST_ONLY : MIRROR_ALL;
    else if (!strcmp(text, "digest-only"))
        *ret = MIRROR_DIGEST_ONLY;
    else if (!strcmp(text, "tag-only"))
        *ret = MIRROR_TAG_ONLY;
    else
        return -EINVAL;
    return 0;
}

static int add_rule(const struct file_rule *from, const char *file, struct arena *a, struct registries_config *c, struct error *e) {
    const char *prefix = from->prefix && *from->prefix ? from->prefix : from->location;
    struct registry_rule *rule;
    int r;

    if (!prefix || !*prefix)
        return error_set(e, -EINVAL, "%s: a [[registry]] without prefix and location", file);
    r = check_location(prefix, true, file, a, e);
    if (r >= 0 && from->location && *from->location)
        r = check_location(from->location, false, file, a, e);
    if (r < 0)
        return r;
    rule = rule_for(a, c, prefix);
    rule->location = from->location && *from->location ? from->location : NULL;
    rule->insecure = from->insecure;
    rule->blocked = from->blocked;
    for (size_t i = 0; i < from->mirrors.n; i++) {
        const struct file_mirror *m = LIST_AT(struct file_mirror, &from->mirrors, i);
        struct registry_mirror *mirror = LIST_ADD(a, struct registry_mirror, &rule->mirrors);

        r = check_location(m->location, false, file, a, e);
        if (r < 0)
            return r;
        mirror->location = m->location;
        mirror->insecure = m->insecure;
        if (mirror_use_parse(m->pull_from, from->by_digest, &mirror->use) < 0)
            return error_set(e, -EINVAL, "%s: pull-from-mirror is all, digest-only or tag-only, not %s", file, m->pull_from);
    }
    return 0;
}

int registries_config_parse(const char *text, size_t n, const char *file, struct arena *a, struct registries_config *c,
                            struct error *e) {
    _cleanup_buf_ struct buf json = BUF_INIT;
    struct file f = {0};
    int r = toml_to_json(text, n, file, &json, e);

    if (r < 0)
        return r;
    r = json_decode(&file_table, buf_text(&json), json.size, a, &f, e);
    if (r < 0)
        return error_wrap(e, r, "%s", file);
    if (f.search.n)
        c->search = f.search;
    if (f.helpers.n)
        c->helpers = f.helpers;
    for (size_t i = 0; i < f.aliases.n; i++)
        map_set(a, &c->aliases, f.aliases.v[i].key, f.aliases.v[i].value);
    for (size_t i = 0; r >= 0 && i < f.rules.n; i++)
        r = add_rule(LIST_AT(struct file_rule, &f.rules, i), file, a, c, e);
    return r;
}

/* -ENOENT without text when there is no such file. */
static int read_file(int dirfd, const char *name, const char *shown, struct arena *a, struct registries_config *c,
                     struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    int r;

    if (faccessat(dirfd, name, F_OK, 0) < 0 && errno == ENOENT)
        return -ENOENT;
    r = fs_read_at(dirfd, name, CONFIG_FILE_MAX, &text, e);
    return r < 0 ? r : registries_config_parse(buf_text(&text), text.size, shown, a, c, e);
}

struct drop_ins {
    struct arena *a;
    struct strs names;
};

static int collect_drop_in(int dirfd, const char *name, void *arg, struct error *e) {
    struct drop_ins *d = arg;
    size_t n = strlen(name);

    if (n > 5 && !strcmp(name + n - 5, ".conf") && d->names.n < DROP_INS_MAX)
        strs_add(d->a, &d->names, arena_strdup(d->a, name));
    return 0;
}

static int by_name(const void *x, const void *y) {
    const char *const *l = x, *const *r = y;

    return strcmp(*l, *r);
}

static int read_drop_ins(const char *dir, struct arena *a, struct registries_config *c, struct error *e) {
    struct drop_ins d = {.a = a};
    int r;

    if (access(dir, F_OK) < 0)
        return 0;
    r = fs_each(AT_FDCWD, dir, collect_drop_in, &d, e);
    if (r >= 0 && d.names.n)
        qsort(d.names.v, d.names.n, sizeof *d.names.v, by_name);
    for (size_t i = 0; r >= 0 && i < d.names.n; i++) {
        const char *path = arena_printf(a, "%s/%s", dir, d.names.v[i]);

        r = read_file(AT_FDCWD, path, path, a, c, e);
    }
    return r;
}

static int read_with_drop_ins(const char *path, struct arena *a, struct registries_config *c, struct error *e) {
    int main_file = read_file(AT_FDCWD, path, path, a, c, e), r;

    if (main_file < 0 && main_file != -ENOENT)
        return main_file;
    r = read_drop_ins(arena_printf(a, "%s.d", path), a, c, e);
    return r < 0 ? r : main_file;
}

int registries_config_read(struct arena *a, struct registries_config *ret, struct error *e) {
    const char *named = getenv("CONTAINERS_REGISTRIES_CONF"), *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");
    struct registries_config c = {0};
    int r = -ENOENT;

    if (named && *named) {
        r = read_file(AT_FDCWD, named, named, a, &c, e);
        if (r == -ENOENT)
            return error_errno(e, r, "read %s (CONTAINERS_REGISTRIES_CONF)", named);
    } else {
        if (config && *config == '/')
            r = read_with_drop_ins(arena_printf(a, "%s/containers/registries.conf", config), a, &c, e);
        else if (home && *home == '/')
            r = read_with_drop_ins(arena_printf(a, "%s/.config/containers/registries.conf", home), a, &c, e);
        if (r == -ENOENT)
            r = read_with_drop_ins("/etc/containers/registries.conf", a, &c, e);
    }
    if (r < 0 && r != -ENOENT)
        return r;
    *ret = c;
    return 0;
}

/* How many bytes of repository the prefix covers; 0 = it does not fit. */
static size_t prefix_match(const char *prefix, const char *repository) {
    size_t n = strlen(prefix);

    if (!strncmp(prefix, "*.", 2)) {
        size_t host = strcspn(repository, ":/"), tail = n - 1;

        return host > tail && !strncmp(repository + host - tail, prefix + 1, tail) ? host : 0;
    }
    if (strncmp(prefix, repository, n) != 0)
        return 0;
    return !repository[n] || strchr("/:@", repository[n]) ? n : 0;
}

const struct registry_rule *registries_config_find(const struct registries_config *c, const char *repository) {
    const struct registry_rule *best = NULL;
    size_t longest = 0;

    for (size_t i = 0; i < c->rules.n; i++) {
        const struct registry_rule *rule = LIST_AT(struct registry_rule, &c->rules, i);
        size_t n = prefix_match(rule->prefix, repository);

        if (n && strlen(rule->prefix) > longest) {
            longest = strlen(rule->prefix);
            best = rule;
        }
    }
    return best;
}

static void add_endpoint(struct arena *a, struct list *ret, const char *full, bool insecure, bool mirror) {
    struct registry_endpoint *ep = LIST_ADD(a, struct registry_endpoint, ret);
    size_t host = strcspn(full, "/");

    ep->host = arena_strndup(a, full, host);
    ep->path = full[host] ? arena_strdup(a, full + host + 1) : "";
    ep->insecure = insecure;
    ep->mirror = mirror;
}

int registries_config_endpoints(const struct registries_config *c, const char *repository, bool by_digest, struct arena *a,
                                struct list *ret, struct error *e) {
    const struct registry_rule *rule = registries_config_find(c, repository);
    struct list endpoints = {0};
    const char *rest;

    if (!rule) {
        add_endpoint(a, &endpoints, repository, false, false);
        *ret = endpoints;
        return 0;
    }
    if (rule->blocked)
        return error_set(e, -EPERM, "registry %s is blocked in registries.conf", rule->prefix);
    rest = repository + prefix_match(rule->prefix, repository);
    for (size_t i = 0; i < rule->mirrors.n; i++) {
        const struct registry_mirror *m = LIST_AT(struct registry_mirror, &rule->mirrors, i);

        if (m->use == (by_digest ? MIRROR_TAG_ONLY : MIRROR_DIGEST_ONLY))
            continue;
        add_endpoint(a, &endpoints, arena_printf(a, "%s%s", m->location, rest), m->insecure, true);
    }
    add_endpoint(a, &endpoints, rule->location ? arena_printf(a, "%s%s", rule->location, rest) : repository, rule->insecure, false);
    *ret = endpoints;
    return 0;
}

/* A name without a host: its first component holds no dot, no colon before a slash, and is not localhost. */
static bool is_short(const char *name) {
    size_t first = strcspn(name, "/");

    if (!name[first])
        return true;
    for (size_t i = 0; i < first; i++)
        if (name[i] == '.' || name[i] == ':' || (name[i] >= 'A' && name[i] <= 'Z'))
            return false;
    return strncmp(name, "localhost", first) || first != 9;
}

int registries_config_candidates(const struct registries_config *c, const char *name, struct arena *a, struct strs *ret,
                                 struct error *e) {
    size_t n = strcspn(name, ":@");
    struct strs found = {0};
    const char *alias;

    if (!is_short(name)) {
        strs_add(a, &found, name);
        *ret = found;
        return 0;
    }
    alias = map_get(&c->aliases, arena_strndup(a, name, n));
    if (alias && *alias) {
        strs_add(a, &found, arena_printf(a, "%s%s", alias, name + n));
    } else if (c->search.n) {
        for (size_t i = 0; i < c->search.n; i++) {
            int r = check_location(c->search.v[i], false, "unqualified-search-registries", a, e);

            if (r < 0)
                return r;
            strs_add(a, &found, arena_printf(a, "%s/%s", c->search.v[i], name));
        }
    } else {
        strs_add(a, &found, name);
    }
    *ret = found;
    return 0;
}
