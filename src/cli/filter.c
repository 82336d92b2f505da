#include "cli/filter.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "model/units.h"

int filters_parse(const struct strs *texts, const char *const *known, struct arena *a, struct filters *ret, struct error *e) {
    struct filters f = {.v = arena_array(a, struct pair, texts->n + 1)};

    for (size_t i = 0; i < texts->n; i++) {
        const char *equals = strchr(texts->v[i], '='), *key;
        size_t k = 0;

        if (!equals) {
            error_set(e, -EINVAL, "invalid argument \"%s\" for \"-f, --filter\" flag: bad format of filter (expected name=value)",
                      texts->v[i]);
            return error_status(e, EXIT_ENGINE), -EINVAL;
        }
        key = arena_strndup(a, texts->v[i], (size_t)(equals - texts->v[i]));
        while (known[k] && strcmp(known[k], key) != 0)
            k++;
        if (!known[k])
            return error_set(e, -EINVAL, "invalid filter '%s'", key);
        f.v[f.n++] = (struct pair){key, equals + 1};
    }
    *ret = f;
    return 0;
}

const char *filters_get(const struct filters *f, const char *key) {
    for (size_t i = f->n; i-- > 0;)
        if (!strcmp(f->v[i].key, key))
            return f->v[i].value;
    return NULL;
}

bool filters_text_fit(const struct filters *f, const char *key, enum filter_match match, const char *text) {
    bool given = false;

    for (size_t i = 0; i < f->n; i++) {
        const char *value = f->v[i].value;

        if (strcmp(f->v[i].key, key) != 0)
            continue;
        given = true;
        if (match == FILTER_PART     ? strstr(text, value) != NULL
            : match == FILTER_PREFIX ? strncmp(text, value, strlen(value)) == 0
                                     : strcmp(text, value) == 0)
            return true;
    }
    return !given;
}

int filters_bool(const struct filters *f, const char *key, bool *ret, struct error *e) {
    const char *value = filters_get(f, key);

    if (!value)
        return 0;
    if (bool_parse(value, ret) >= 0)
        return 1;
    error_set(e, -EINVAL, "invalid filter '%s=[%s]'", key, value);
    return error_hint(e, "true or false is wanted");
}

bool filters_labels_fit(const struct filters *f, const char *name, const struct map *labels) {
    for (size_t i = 0; i < f->n; i++)
        if (!strcmp(f->v[i].key, name) && !map_fits(labels, f->v[i].value))
            return false;
    return true;
}

int filter_time(const char *text, int64_t *ret, struct error *e) {
    static const char *const shapes[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H", "%Y-%m-%d"};
    struct timespec t;
    int64_t back;
    char *end;
    long long seconds = strtoll(text, &end, 10);

    if (*text && (!*end || *end == '.')) {
        *ret = seconds;
        return 0;
    }
    if (duration_parse(text, &back) >= 0) {
        *ret = clock_wall().tv_sec - back / NS_PER_SEC;
        return 0;
    }
    if (time_parse(text, &t) >= 0) {
        *ret = t.tv_sec;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) { /* without a zone: local time, as Docker's client does */
        struct tm tm = {.tm_isdst = -1};
        const char *rest = strptime(text, shapes[i], &tm);

        if (rest && !*rest) {
            *ret = (int64_t)mktime(&tm);
            return 0;
        }
    }
    return error_set(e, -EINVAL, "failed to parse value as time or duration: \"%s\"", text);
}
