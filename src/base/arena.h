/* Memory that is freed all at once. Documents (configurations, manifests, plans) are decoded into an arena, so that none of their
 * types needs a destructor: strings and lists live as long as the arena does.
 *
 * Allocation never returns NULL: an engine that cannot get a few kilobytes cannot even say so, so it aborts. What strangers can
 * make large (documents, archives) is capped before it gets here. */
#pragma once

#include "base/cleanup.h"

struct arena {
    struct arena_block *blocks; /* owned */
};

#define ARENA_INIT                                                                                                                 \
    { 0 }
#define _cleanup_arena_ _cleanup_(arena_release)

void *arena_alloc(struct arena *a, size_t size);               /* zeroed, aligned for any type */
char *arena_strdup(struct arena *a, const char *s);            /* NULL gives NULL */
char *arena_strndup(struct arena *a, const char *s, size_t n); /* up to n bytes, NUL added */
char *arena_printf(struct arena *a, const char *fmt, ...) _printf_(2, 3);
void *arena_memdup(struct arena *a, const void *p, size_t size);
void arena_release(struct arena *a);

#define arena_new(a, type)      ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (size_t)(n)))

/* A list of strings; the array grows by doubling inside the arena. */
struct strs {
    const char **v;
    size_t n;
};
void strs_add(struct arena *a, struct strs *s, const char *value); /* value is not copied */
bool strs_has(const struct strs *s, const char *value);

/* A map of strings in insertion order. */
struct pair {
    const char *key;
    const char *value;
};
struct map {
    struct pair *v;
    size_t n;
};
void map_set(struct arena *a, struct map *m, const char *key, const char *value); /* replaces; neither is copied */
void map_set_text(struct arena *a, struct map *m, const char *text);              /* "key=value", or "key": its value is "" */
void map_set_texts(struct arena *a, struct map *m, const struct strs *texts);
const char *map_get(const struct map *m, const char *key); /* NULL when absent */
bool map_fits(const struct map *m, const char *condition); /* "key" or "key=value" is in it */

/* A list of structs of one type: LIST_AT(struct mount, &config->mounts, i). */
struct list {
    void *v;
    size_t n;
};
#define LIST_AT(type, l, i)  (&((type *)(l)->v)[i])
#define LIST_ADD(a, type, l) ((type *)list_add((a), (l), sizeof(type)))
/* How many items an array must have room for that becomes a list of n items: the functions above add to it without looking (they
 * grow it at powers of two). */
size_t list_room(size_t n);
void *list_add(struct arena *a, struct list *l, size_t size); /* a new zeroed item; earlier pointers into the list die */

/* Values that may be absent: absent is not zero in the standards' documents. */
struct opt_i64 {
    bool set;
    int64_t value;
};
struct opt_u64 {
    bool set;
    uint64_t value;
};
struct opt_bool {
    bool set;
    bool value;
};
