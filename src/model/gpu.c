#include "model/gpu.h"

#include <string.h>

#include "model/units.h"

#define COUNT_MAX 1024

/* The next field of a line of comma-separated values; the quotes around it, and of quotes inside it one of two, are taken off. */
static const char *next_field(const char **line, struct arena *a) {
    const char *p = *line;
    bool quoted = *p == '"';
    char *field = arena_strdup(a, p), *to = field;

    for (p += quoted; *p && (quoted || *p != ','); p++) {
        if (quoted && *p == '"' && *++p != '"') {
            quoted = false;
            p--;
            continue;
        }
        *to++ = *p;
    }
    *to = '\0';
    *line = *p ? p + 1 : p;
    return field;
}

static void add_words(const char *text, struct arena *a, struct strs *ret) {
    for (; *text; text += strcspn(text, ","), text += *text == ',')
        strs_add(a, ret, arena_strndup(a, text, strcspn(text, ",")));
}

static int set_count(const char *text, struct device_request *q, struct error *e) {
    int64_t count = -1;

    if (strcmp(text, "all") != 0 && int_parse(text, 1, COUNT_MAX, &count) < 0)
        return error_set(e, -EINVAL, "invalid count (%s): value must be either \"all\" or an integer", text);
    q->count = (int32_t)count;
    return 0;
}

/* A description by CDI is of all that a GPU can do: which of it is asked for makes no difference, what none can is refused. */
static int set_capabilities(const char *text, struct arena *a, struct device_request *q, struct error *e) {
    static const char *const known[] = {"gpu", "nvidia", "amd", "compute", "compat32", "graphics", "utility", "video", "display"};
    struct strs words = {0};
    _cleanup_buf_ struct buf json = BUF_INIT;

    add_words(text, a, &words);
    buf_add_str(&json, "[[");
    for (size_t i = 0; i < words.n; i++) {
        size_t k = 0;

        while (k < ARRAY_SIZE(known) && strcmp(known[k], words.v[i]) != 0)
            k++;
        if (k == ARRAY_SIZE(known))
            return error_set(e, -ENOTSUP, "could not select device driver with capability %s", words.v[i]);
        json_write_string(&json, words.v[i]);
        buf_add_str(&json, ",");
    }
    buf_add_str(&json, "\"gpu\"]]");
    q->capabilities = arena_strdup(a, buf_text(&json));
    return 0;
}

static int set_field(const char *field, struct arena *a, struct device_request *q, struct error *e) {
    const char *equals = strchr(field, '='), *value = equals ? equals + 1 : field;
    const char *key = equals ? arena_strndup(a, field, (size_t)(equals - field)) : "count";

    if (!equals && q->device_ids.n > 0) { /* device=0,1 without the quotes that Docker wants */
        strs_add(a, &q->device_ids, value);
        return 0;
    }
    if (strcmp(key, "count") == 0)
        return q->count ? error_set(e, -EINVAL, "gpu request key 'count' can be specified only once") : set_count(value, q, e);
    if (strcmp(key, "device") == 0)
        add_words(value, a, &q->device_ids);
    else if (strcmp(key, "driver") == 0)
        q->driver = value;
    else if (strcmp(key, "capabilities") == 0)
        return set_capabilities(value, a, q, e);
    else if (strcmp(key, "options") == 0)
        return error_set(e, -ENOTSUP, "options of a GPU are not supported: devices are given by CDI");
    else
        return error_set(e, -EINVAL, "unexpected key '%s' in '%s'", key, field);
    return 0;
}

int gpu_request_parse(const char *text, struct arena *a, struct device_request *ret, struct error *e) {
    struct device_request q = {.driver = "", .capabilities = "[[\"gpu\"]]"};
    const char *line = text;
    int r = *text ? 0 : error_set(e, -EINVAL, "all, a number, or device=ID[,ID...] is expected");

    while (r == 0 && *line)
        r = set_field(next_field(&line, a), a, &q, e);
    if (r == 0 && q.count && q.device_ids.n > 0)
        r = error_set(e, -EINVAL, "cannot set both Count and DeviceIDs on device request");
    if (r < 0)
        return error_wrap(e, r, "--gpus %s", text);
    if (q.count == 0 && q.device_ids.n == 0)
        q.count = 1;
    *ret = q;
    return 0;
}
