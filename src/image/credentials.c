#include "image/credentials.h"

#include <fcntl.h>
#include <string.h>

#include <json-c/json.h>

#include "base/fs.h"
#include "base/json.h"
#include "image/credential_helper.h"
#include "image/registry_auth.h"

#define FILE_MAX     ((size_t)1 << 20)
#define DOCKER_HUB   "https://index.docker.io/v1/"
#define PATHS_MAX    4
#define PASSWORD_MAX ((size_t)64 << 10)

struct auth_entry {
    const char *key;
    const char *auth, *user, *password, *identity_token;
};

struct auth_file {
    struct list auths; /* of struct auth_entry */
    struct map helpers;
    const char *store;
};

static const struct json_field entry_fields[] = {
    JSON_FIELD(struct auth_entry, auth, "auth", JSON_STR, 0),
    JSON_FIELD(struct auth_entry, user, "username", JSON_STR, 0),
    JSON_FIELD(struct auth_entry, password, "password", JSON_STR, 0),
    JSON_FIELD(struct auth_entry, identity_token, "identitytoken", JSON_STR, 0),
    JSON_END,
};
static const struct json_table entry_table = JSON_TABLE("auth", struct auth_entry, entry_fields);

static const struct json_field file_fields[] = {
    JSON_FIELD_OF(struct auth_file, auths, "auths", JSON_OBJ_MAP, 0, &entry_table),
    JSON_FIELD(struct auth_file, helpers, "credHelpers", JSON_MAP, 0),
    JSON_FIELD(struct auth_file, store, "credsStore", JSON_STR, 0),
    JSON_END,
};
static const struct json_table file_table = JSON_TABLE("config.json", struct auth_file, file_fields);

const char *credentials_key(const char *host) {
    return !strcmp(host, "docker.io") || !strcmp(host, "index.docker.io") || !strcmp(host, "registry-1.docker.io") ? DOCKER_HUB
                                                                                                                   : host;
}

/* "https://index.docker.io/v1/" → "docker.io", "https://quay.io/v2/" → "quay.io", "quay.io/org" stays. */
static const char *normal_key(const char *key, struct arena *a) {
    static const char *const tails[] = {"/v1", "/v2"};
    const char *start = strstr(key, "://");
    char *text = arena_strdup(a, start ? start + 3 : key);
    size_t n = strlen(text);

    while (n && text[n - 1] == '/')
        text[--n] = 0;
    for (size_t i = 0; i < ARRAY_SIZE(tails); i++)
        if (n > 3 && !strcmp(text + n - 3, tails[i]))
            text[n -= 3] = 0;
    return !strcmp(text, "index.docker.io") || !strcmp(text, "registry-1.docker.io") ? "docker.io" : text;
}

/* Bytes of the repository that the key covers; 0 = not this one. The longest wins. */
static size_t key_match(const char *key, const char *repository, struct arena *a) {
    const char *k = normal_key(key, a);
    size_t n = strlen(k);

    return n && !strncmp(k, repository, n) && (!repository[n] || repository[n] == '/') ? n : 0;
}

int credentials_decode(const char *base64, struct arena *a, struct credentials *ret, struct error *e) {
    _cleanup_buf_ struct buf plain = BUF_WITH_MAX(PASSWORD_MAX);
    const char *colon;

    if (base64_decode(base64, strlen(base64), &plain) < 0 || plain.failed || strlen(buf_text(&plain)) != plain.size)
        return error_set(e, -EINVAL, "\"auth\" is not base64 of user:password");
    colon = strchr(buf_text(&plain), ':');
    if (!colon)
        return error_set(e, -EINVAL, "\"auth\" is not base64 of user:password");
    ret->user = arena_strndup(a, plain.data, (size_t)(colon - plain.data));
    ret->password = arena_strdup(a, colon + 1);
    explicit_bzero(plain.data, plain.size);
    return 0;
}

static const char *find_helper(const struct auth_file *f, const char *repository, struct arena *a) {
    const char *best = NULL;
    size_t longest = 0;

    for (size_t i = 0; i < f->helpers.n; i++) {
        size_t n = key_match(f->helpers.v[i].key, repository, a);

        if (n > longest) {
            longest = n;
            best = f->helpers.v[i].value;
        }
    }
    return best ? best : f->store && *f->store ? f->store : NULL;
}

int credentials_parse(const char *text, size_t n, const char *repository, struct arena *a, struct credentials *ret,
                      const char **ret_helper, struct error *e) {
    const struct auth_entry *best = NULL;
    struct credentials c = {0};
    struct auth_file f = {0};
    size_t longest = 0;
    int r = json_decode(&file_table, text, n, a, &f, e);

    if (r < 0)
        return r;
    *ret_helper = find_helper(&f, repository, a);
    for (size_t i = 0; i < f.auths.n; i++) {
        const struct auth_entry *entry = LIST_AT(struct auth_entry, &f.auths, i);
        size_t match = key_match(entry->key, repository, a);

        if (match > longest && (entry->auth || entry->user || entry->identity_token)) { /* a helper leaves empty entries behind */
            longest = match;
            best = entry;
        }
    }
    if (!best)
        return *ret_helper ? 1 : 0;
    if (best->identity_token && *best->identity_token)
        c.identity_token = best->identity_token;
    if (best->auth && *best->auth) {
        r = credentials_decode(best->auth, a, &c, e);
        if (r < 0)
            return error_wrap(e, r, "auths.%s", best->key);
    } else if (best->user) {
        c.user = best->user;
        c.password = best->password ? best->password : "";
    }
    if (!c.identity_token && !c.user)
        return *ret_helper ? 1 : 0;
    *ret_helper = NULL;
    *ret = c;
    return 1;
}

static const char *docker_config(struct arena *a) {
    const char *dir = getenv("DOCKER_CONFIG"), *home = getenv("HOME");

    if (dir && *dir)
        return arena_printf(a, "%s/config.json", dir);
    return home && *home ? arena_printf(a, "%s/.docker/config.json", home) : NULL;
}

static size_t auth_paths(struct arena *a, const char *paths[PATHS_MAX]) {
    const char *named = getenv("REGISTRY_AUTH_FILE"), *run = getenv("XDG_RUNTIME_DIR"), *home = getenv("HOME");
    const char *config = getenv("XDG_CONFIG_HOME");
    size_t n = 0;

    if (named && *named) {
        paths[n++] = named;
        return n;
    }
    if (docker_config(a))
        paths[n++] = docker_config(a);
    if (run && *run)
        paths[n++] = arena_printf(a, "%s/containers/auth.json", run);
    else
        paths[n++] = arena_printf(a, "/run/containers/%u/auth.json", getuid());
    if (config && *config)
        paths[n++] = arena_printf(a, "%s/containers/auth.json", config);
    else if (home && *home)
        paths[n++] = arena_printf(a, "%s/.config/containers/auth.json", home);
    return n;
}

static const char *host_of(const char *repository, struct arena *a) {
    return arena_strndup(a, repository, strcspn(repository, "/"));
}

static int find_in_file(const char *path, const char *repository, struct arena *a, struct credentials *ret, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    const char *helper = NULL;
    int r = fs_read_at(AT_FDCWD, path, FILE_MAX, &text, e);

    if (r >= 0)
        r = text.size ? credentials_parse(buf_text(&text), text.size, repository, a, ret, &helper, e) : 0;
    if (text.data)
        explicit_bzero(text.data, text.size);
    if (r < 0)
        return error_wrap(e, r, "read credentials from %s", path);
    if (r > 0 && helper)
        return credential_helper_get(helper, credentials_key(host_of(repository, a)), a, ret, e);
    return r;
}

int credentials_find(const char *repository, struct arena *a, struct credentials *ret, struct error *e) {
    const char *paths[PATHS_MAX];
    size_t n = auth_paths(a, paths);

    for (size_t i = 0; i < n; i++) {
        int r;

        if (access(paths[i], F_OK) < 0)
            continue;
        r = find_in_file(paths[i], repository, a, ret, e);
        if (r)
            return r;
    }
    return 0;
}

/* Opens the document for a change that keeps everything tare does not know. *ret is owned (json_object_put). */
static int read_document(const char *path, struct json_object **ret, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    int r;

    if (access(path, F_OK) < 0) {
        *ret = json_object_new_object();
        return 0;
    }
    r = fs_read_at(AT_FDCWD, path, FILE_MAX, &text, e);
    if (r < 0)
        return r;
    *ret = text.size ? json_tokener_parse(buf_text(&text)) : json_object_new_object();
    if (json_object_is_type(*ret, json_type_object))
        return 0;
    json_object_put(*ret);
    return error_set(e, -EBADMSG, "%s is not a JSON object", path);
}

static int write_document(const char *path, struct json_object *document, struct arena *a, struct error *e) {
    const char *slash = strrchr(path, '/'), *dir = slash ? arena_strndup(a, path, (size_t)(slash - path)) : ".";
    const char *text = json_object_to_json_string_ext(document, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_PRETTY_TAB |
                                                                    JSON_C_TO_STRING_NOSLASHESCAPE | JSON_C_TO_STRING_SPACED);
    _cleanup_fd_ int fd = fs_open_dir_make(*dir ? dir : "/", 0700, e);

    if (fd < 0)
        return fd;
    return fs_replace_at(fd, slash ? slash + 1 : path, text, strlen(text), 0600, FS_NO_SYNC, e);
}

static struct json_object *member_object(struct json_object *o, const char *name) {
    struct json_object *member;

    if (json_object_object_get_ex(o, name, &member) && json_object_is_type(member, json_type_object))
        return member;
    member = json_object_new_object();
    json_object_object_add(o, name, member);
    return member;
}

static const char *write_path(struct arena *a) {
    const char *named = getenv("REGISTRY_AUTH_FILE");

    return named && *named ? named : docker_config(a);
}

static int helper_for(const char *path, const char *host, struct arena *a, const char **ret, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    struct auth_file f = {0};
    int r;

    *ret = NULL;
    if (access(path, F_OK) < 0)
        return 0;
    r = fs_read_at(AT_FDCWD, path, FILE_MAX, &text, e);
    if (r >= 0 && text.size)
        r = json_decode(&file_table, buf_text(&text), text.size, a, &f, e);
    if (r < 0)
        return error_wrap(e, r, "read %s", path);
    *ret = find_helper(&f, host, a);
    return 0;
}

int credentials_store(const char *host, const struct credentials *c, struct arena *a, const char **ret_path, struct error *e) {
    _cleanup_buf_ struct buf plain = BUF_INIT, auth = BUF_INIT;
    struct json_object *document, *entry;
    const char *path = write_path(a), *helper;
    int r;

    if (!path)
        return error_set(e, -ENOENT, "no place for credentials: HOME is not set");
    r = helper_for(path, host, a, &helper, e);
    if (r < 0)
        return r;
    if (helper) {
        *ret_path = NULL;
        return credential_helper_store(helper, credentials_key(host), c, e);
    }
    r = read_document(path, &document, e);
    if (r < 0)
        return r;
    entry = json_object_new_object();
    if (c->identity_token)
        json_object_object_add(entry, "identitytoken", json_object_new_string(c->identity_token));
    buf_printf(&plain, "%s:%s", c->user ? c->user : "", c->identity_token ? "" : c->password);
    base64_encode(buf_text(&plain), plain.size, &auth);
    explicit_bzero(plain.data, plain.size);
    json_object_object_add(entry, "auth", json_object_new_string(buf_text(&auth)));
    json_object_object_add(member_object(document, "auths"), credentials_key(host), entry);
    r = write_document(path, document, a, e);
    json_object_put(document);
    if (r >= 0)
        *ret_path = path;
    return r;
}

int credentials_erase(const char *host, struct arena *a, struct error *e) {
    const char *path = write_path(a), *helper;
    struct json_object *document, *auths;
    int r, removed = 0;

    if (!path || access(path, F_OK) < 0)
        return 0;
    r = helper_for(path, host, a, &helper, e);
    if (r < 0)
        return r;
    if (helper) {
        struct credentials ignored;

        removed = credential_helper_get(helper, credentials_key(host), a, &ignored, NULL) > 0;
        r = credential_helper_erase(helper, credentials_key(host), e);
        if (r < 0)
            return r;
    }
    r = read_document(path, &document, e);
    if (r < 0)
        return r;
    auths = member_object(document, "auths");
    if (json_object_object_get_ex(auths, credentials_key(host), NULL)) {
        json_object_object_del(auths, credentials_key(host));
        r = write_document(path, document, a, e);
        removed = 1;
    }
    json_object_put(document);
    return r < 0 ? r : removed;
}
