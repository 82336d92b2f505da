/* --filter key=value, as ps, images, prune and the others take it. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

struct filters {
    struct pair *v; /* in the order given; a key may come several times */
    size_t n;
};

/* `known` ends with NULL. -EINVAL with Docker's words for what has no "=" or an unknown key. */
int filters_parse(const struct strs *texts, const char *const *known, struct arena *a, struct filters *ret, struct error *e);
/* The last value of the key; NULL = not given. */
const char *filters_get(const struct filters *f, const char *key);
/* Does the text fit one of the key's values? Several values of one key are alternatives; true when it was not given. */
enum filter_match { FILTER_EQUAL, FILTER_PART, FILTER_PREFIX };
bool filters_text_fit(const struct filters *f, const char *key, enum filter_match match, const char *text);
/* A key of true or false: 1 with *ret, 0 when it was not given, -EINVAL when it is neither. */
int filters_bool(const struct filters *f, const char *key, bool *ret, struct error *e);
/* Do the labels have every "key" or "key=value" that the filter `name` was given? True when it was not given. */
bool filters_labels_fit(const struct filters *f, const char *name, const struct map *labels);
/* A moment: RFC 3339 (or a part of it: a date), seconds since the epoch, or a Go duration back from now ("24h"). Seconds. */
int filter_time(const char *text, int64_t *ret, struct error *e);
