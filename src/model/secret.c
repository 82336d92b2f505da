#include "model/secret.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"

bool secret_is_env(const struct secret_request *s) {
    return s->type && strcmp(s->type, "env") == 0;
}

static int number(const char *key, const char *text, int base, uint32_t max, uint32_t *ret, struct error *e) {
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, base);

    if (text[0] < '0' || text[0] > '9' || *end || errno || value > max)
        return error_set(e, -EINVAL, "invalid secret option %s=%s", key, text);
    *ret = (uint32_t)value;
    return 0;
}

static int set_key(const char *key, const char *value, struct secret_request *s, struct error *e) {
    if (strcmp(key, "source") == 0)
        s->source = value;
    else if (strcmp(key, "target") == 0)
        s->target = value;
    else if (strcmp(key, "type") == 0)
        s->type = value;
    else if (strcmp(key, "uid") == 0)
        return number(key, value, 10, UINT32_MAX - 1, &s->uid, e);
    else if (strcmp(key, "gid") == 0)
        return number(key, value, 10, UINT32_MAX - 1, &s->gid, e);
    else if (strcmp(key, "mode") == 0)
        return number(key, value, 8, 07777, &s->mode, e);
    else
        return error_set(e, -EINVAL, "unknown secret option %s (known: source, type, target, uid, gid, mode)", key);
    return 0;
}

static int check_target(const struct secret_request *s, struct error *e) {
    const char *t = s->target;

    if (secret_is_env(s))
        return *t && !strchr(t, '=') ? 0 : error_set(e, -EINVAL, "secret %s: \"%s\" is no name of a variable", s->source, t);
    if (t[0] == '/' ? t[1] == '\0' : strchr(t, '/') || strcmp(t, ".") == 0 || strcmp(t, "..") == 0 || !*t)
        return error_set(e, -EINVAL, "secret %s: target \"%s\" is neither an absolute path nor the name of a file in " SECRETS_DIR,
                         s->source, t);
    return 0;
}

int secret_request_check(struct secret_request *s, struct arena *a, struct error *e) {
    int r;

    s->source = s->source ? s->source : "";
    r = name_check("secret name", s->source, e);
    if (r < 0)
        return r;
    s->type = s->type ? s->type : "mount";
    s->target = s->target ? s->target : s->source;
    if (strcmp(s->type, "mount") != 0 && strcmp(s->type, "env") != 0)
        return error_set(e, -EINVAL, "secret %s: type %s is neither mount nor env", s->source, s->type);
    r = check_target(s, e);
    if (r == 0 && !secret_is_env(s) && s->target[0] != '/')
        s->target = arena_printf(a, SECRETS_DIR "/%s", s->target);
    return r;
}

int secret_request_parse(const char *text, struct arena *a, struct secret_request *ret, struct error *e) {
    struct secret_request s = {.mode = 0444};

    for (const char *p = text;; p++) {
        size_t n = strcspn(p, ",");
        const char *part = arena_strndup(a, p, n), *equals = strchr(part, '=');
        int r = 0;

        if (equals)
            r = set_key(arena_strndup(a, part, (size_t)(equals - part)), equals + 1, &s, e);
        else if (p == text)
            s.source = part;
        else
            r = error_set(e, -EINVAL, "secret option %s needs a value", part);
        if (r < 0)
            return r;
        p += n;
        if (!*p)
            break;
    }
    int r = secret_request_check(&s, a, e);
    if (r == 0)
        *ret = s;
    return r;
}
