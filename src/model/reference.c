#include "model/reference.h"

#include <ctype.h>
#include <string.h>

static bool is_lower_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* --- digests -------------------------------------------------------------------------------------------------------------- */

static bool is_hex(const char *s, size_t n) {
    return strspn(s, "0123456789abcdef") == n && s[n] == '\0';
}

bool digest_is_sha256(const char *text) {
    return strncmp(text, "sha256:", 7) == 0 && is_hex(text + 7, 64);
}

bool digest_is_valid(const char *text) {
    return digest_is_sha256(text) || (strncmp(text, "sha512:", 7) == 0 && is_hex(text + 7, 128));
}

const char *digest_hex(const char *digest) {
    return digest + 7;
}

int digest_check(const void *value, struct error *e) {
    const char *text = *(const char *const *)value;

    if (!text || digest_is_valid(text))
        return 0;
    return error_set(e, -EINVAL, "invalid digest \"%.200s\"", text);
}

/* --- grammar -------------------------------------------------------------------------------------------------------------- */

/* alphanumeric (separator alphanumeric)*, separator: one of "_", ".", "__", or any number of "-". */
static bool path_component_is_valid(const char *s, size_t n) {
    size_t i = 0;

    for (;;) {
        size_t start = i;

        while (i < n && is_lower_alnum(s[i]))
            i++;
        if (i == start)
            return false;
        if (i == n)
            return true;
        start = i;
        if (s[i] == '-') {
            while (i < n && s[i] == '-')
                i++;
        } else if (s[i] == '_') {
            i += i + 1 < n && s[i + 1] == '_' ? 2 : 1;
        } else if (s[i] == '.') {
            i++;
        }
        if (i == start)
            return false;
    }
}

static bool path_is_valid(const char *path) {
    for (const char *s = path;; s++) {
        size_t n = strcspn(s, "/");

        if (!path_component_is_valid(s, n))
            return false;
        s += n;
        if (*s == '\0')
            return true;
    }
}

/* Labels of letters, digits and inner dashes, joined by dots. */
static bool host_name_is_valid(const char *s, size_t n) {
    for (size_t i = 0; i <= n; i++) {
        bool end = i == n || s[i] == '.', before = i > 0 && isalnum((unsigned char)s[i - 1]);

        if (end && !before)
            return false;
        if (!end && !isalnum((unsigned char)s[i]) && !(s[i] == '-' && i > 0 && s[i - 1] != '.'))
            return false;
    }
    return n > 0;
}

static bool host_is_valid(const char *host) {
    const char *port;
    size_t n;

    if (host[0] == '[') { /* an IPv6 address */
        n = strspn(host + 1, "0123456789abcdefABCDEF:");
        if (n == 0 || host[n + 1] != ']')
            return false;
        port = host + n + 2;
    } else {
        n = strcspn(host, ":");
        if (!host_name_is_valid(host, n))
            return false;
        port = host + n;
    }
    if (*port == '\0')
        return true;
    n = strspn(port + 1, "0123456789");
    return port[0] == ':' && n > 0 && port[n + 1] == '\0';
}

static bool tag_is_valid(const char *tag) {
    const char *c = tag;

    if (!isalnum((unsigned char)*c) && *c != '_')
        return false;
    while (isalnum((unsigned char)*c) || (*c && strchr("_.-", *c)))
        c++;
    return *c == '\0' && c - tag <= REFERENCE_TAG_MAX;
}

/* --- parsing -------------------------------------------------------------------------------------------------------------- */

/* How many bytes of the name are a host ("host/rest"), as Docker tells it from the first component of a path; 0 = none. */
static size_t host_length(const char *name) {
    const char *slash = strchr(name, '/');
    size_t n = slash ? (size_t)(slash - name) : 0;

    for (size_t i = 0; i < n; i++)
        if (strchr(".:", name[i]) || isupper((unsigned char)name[i]))
            return n;
    return n == strlen("localhost") && strncmp(name, "localhost", n) == 0 ? n : 0;
}

static void split_host(const char *name, struct arena *a, struct reference *ref) {
    size_t n = host_length(name);

    ref->host = n ? arena_strndup(a, name, n) : REFERENCE_DEFAULT_HOST;
    ref->path = n ? name + n + 1 : name;
    if (strcmp(ref->host, "index.docker.io") == 0)
        ref->host = REFERENCE_DEFAULT_HOST;
    if (strcmp(ref->host, REFERENCE_DEFAULT_HOST) == 0 && !strchr(ref->path, '/'))
        ref->path = arena_printf(a, "library/%s", ref->path);
}

static int invalid(const char *text, struct error *e) {
    error_set(e, -EINVAL, "invalid reference format");
    return error_wrap(e, -EINVAL, "image name \"%.300s\"", text);
}

static int check_parts(const char *text, const struct reference *ref, struct error *e) {
    for (const char *c = ref->path; *c; c++)
        if (isupper((unsigned char)*c))
            return error_set(e, -EINVAL, "invalid reference format: repository name (%.300s) must be lowercase", ref->path);
    if (!host_is_valid(ref->host) || !path_is_valid(ref->path) || (ref->tag && !tag_is_valid(ref->tag)))
        return invalid(text, e);
    if (ref->digest && !digest_is_valid(ref->digest)) {
        error_set(e, -EINVAL, "invalid digest");
        return error_wrap(e, -EINVAL, "image name \"%.300s\"", text);
    }
    if (strlen(ref->path) > REFERENCE_PATH_MAX)
        return error_set(e, -EINVAL, "repository name must not be more than %d characters", REFERENCE_PATH_MAX);
    return 0;
}

int reference_parse(const char *text, struct arena *a, struct reference *ret, struct error *e) {
    struct reference ref = {0};
    const char *at, *name, *colon, *slash;
    int r;

    if (strlen(text) > 2048)
        return invalid(text, e);
    if (is_hex(text, 64))
        return error_set(e, -EINVAL, "invalid repository name (%s), cannot specify 64-byte hexadecimal strings", text);
    at = strchr(text, '@');
    if (at)
        ref.digest = arena_strdup(a, at + 1);
    name = at ? arena_strndup(a, text, (size_t)(at - text)) : arena_strdup(a, text);
    slash = strrchr(name, '/');
    colon = strchr(slash ? slash : name, ':');
    if (colon) {
        ref.tag = colon + 1;
        name = arena_strndup(a, name, (size_t)(colon - name));
    }
    split_host(name, a, &ref);
    r = check_parts(text, &ref, e);
    if (r < 0)
        return r;
    if (!ref.tag && !ref.digest)
        ref.tag = REFERENCE_DEFAULT_TAG;
    ref.repository = arena_printf(a, "%s/%s", ref.host, ref.path);
    ref.full = arena_printf(a, "%s%s%s%s%s", ref.repository, ref.tag ? ":" : "", ref.tag ? ref.tag : "", ref.digest ? "@" : "",
                            ref.digest ? ref.digest : "");
    *ret = ref;
    return 0;
}

/* --- forms ---------------------------------------------------------------------------------------------------------------- */

const char *reference_familiar_repository(const struct reference *ref, struct arena *a) {
    const char *path = ref->path;

    if (strcmp(ref->host, REFERENCE_DEFAULT_HOST) != 0 || host_length(path)) /* docker.io/a.b/c: "a.b/c" is on another host */
        return ref->repository;
    if (strncmp(path, "library/", 8) == 0 && !strchr(path + 8, '/'))
        path += 8;
    return arena_strdup(a, path);
}

const char *reference_familiar(const struct reference *ref, struct arena *a) {
    return arena_printf(a, "%s%s", reference_familiar_repository(ref, a), ref->full + strlen(ref->repository));
}

const char *reference_key(const struct reference *ref, struct arena *a) {
    if (ref->digest)
        return arena_printf(a, "%s@%s", ref->repository, ref->digest);
    return ref->full;
}
