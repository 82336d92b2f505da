#include "model/userns_mode.h"

#include <string.h>

#include "model/units.h"

#define OPTION_MAX 32

static const char *const kinds[] = {
    [USERNS_HOST] = "host", [USERNS_AUTO] = "auto", [USERNS_KEEP_ID] = "keep-id", [USERNS_NOMAP] = "nomap"};

struct option {
    enum userns_kind kind;
    const char *name; /* with its '=' */
    size_t value;     /* offset of a uint32_t */
    size_t has;       /* offset of a bool; 0: none */
    int64_t min;
};
static const struct option options[] = {
    {USERNS_AUTO, "size=", offsetof(struct userns_mode, size), 0, 1},
    {USERNS_KEEP_ID, "uid=", offsetof(struct userns_mode, uid), offsetof(struct userns_mode, has_uid), 0},
    {USERNS_KEEP_ID, "gid=", offsetof(struct userns_mode, gid), offsetof(struct userns_mode, has_gid), 0},
};

static int parse_option(const char *text, size_t n, struct userns_mode *m, struct error *e) {
    char copy[OPTION_MAX] = "";
    int64_t value;

    if (n < sizeof(copy))
        memcpy(copy, text, n);
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        const struct option *o = &options[i];
        size_t name = strlen(o->name);

        if (o->kind != m->kind || strncmp(copy, o->name, name) != 0)
            continue;
        if (int_parse(copy + name, o->min, UINT32_MAX - 1, &value) < 0)
            return error_set(e, -EINVAL, "--userns %s: %s is not a number of an id", kinds[m->kind], copy);
        *(uint32_t *)((char *)m + o->value) = (uint32_t)value;
        if (o->has)
            *(bool *)((char *)m + o->has) = true;
        return 0;
    }
    return error_set(e, -EINVAL, "--userns %s: unknown option \"%.*s\"", kinds[m->kind], (int)n, text);
}

int userns_mode_parse(const char *text, struct userns_mode *ret, struct error *e) {
    struct userns_mode m = {0};
    size_t n = text ? strcspn(text, ":") : 0, kind = 0;
    int r = 0;

    if (!text || !*text) {
        *ret = m;
        return 0;
    }
    while (kind < ARRAY_SIZE(kinds) && (strlen(kinds[kind]) != n || strncmp(kinds[kind], text, n) != 0))
        kind++;
    if (kind == ARRAY_SIZE(kinds))
        return error_set(e, -EINVAL, "invalid user namespace mode: %s", text);
    m.kind = (enum userns_kind)kind;
    for (text += n; *text && r == 0; text += n) { /* at the colon, then at each comma */
        n = strcspn(++text, ",");
        r = parse_option(text, n, &m, e);
    }
    if (r == 0)
        *ret = m;
    return r;
}
