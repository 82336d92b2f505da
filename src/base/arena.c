#include "base/arena.h"

#include <stdarg.h>
#include <string.h>

#define ARENA_BLOCK_BYTES (16 * 1024)
#define ARENA_ALIGN       _Alignof(max_align_t)

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(max_align_t) unsigned char data[];
};

static struct arena_block *arena_grow(struct arena *a, size_t size) {
    size_t room = MAX_OF(size, (size_t)ARENA_BLOCK_BYTES);
    struct arena_block *block = calloc(1, sizeof(*block) + room);

    if (!block)
        abort();
    block->size = room;
    /* A block for one large item goes behind the current one, whose free room is still good for small items. */
    if (a->blocks && size > ARENA_BLOCK_BYTES / 4) {
        block->next = a->blocks->next;
        a->blocks->next = block;
    } else {
        block->next = a->blocks;
        a->blocks = block;
    }
    return block;
}

void *arena_alloc(struct arena *a, size_t size) {
    struct arena_block *block = a->blocks;
    void *p;

    if (size > SIZE_MAX / 2)
        abort();
    size = (size + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    if (!block || block->size - block->used < size)
        block = arena_grow(a, size);
    p = block->data + block->used;
    block->used += size;
    return p;
}

void *arena_memdup(struct arena *a, const void *p, size_t size) {
    void *copy = arena_alloc(a, size);

    if (size)
        memcpy(copy, p, size);
    return copy;
}

char *arena_strndup(struct arena *a, const char *s, size_t n) {
    size_t length = strnlen(s, n);
    char *copy = arena_alloc(a, length + 1);

    memcpy(copy, s, length);
    return copy;
}

char *arena_strdup(struct arena *a, const char *s) {
    return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_printf(struct arena *a, const char *fmt, ...) {
    va_list ap, again;
    char *text;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    text = arena_alloc(a, (size_t)n + 1);
    (void)vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}

void arena_release(struct arena *a) {
    struct arena_block *block = a->blocks;

    while (block) {
        struct arena_block *next = block->next;

        free(block);
        block = next;
    }
    a->blocks = NULL;
}

/* Makes room for one more item when n is 0 or a power of two: growth by doubling without storing a capacity. */
static void *grown(struct arena *a, void *v, size_t n, size_t size) {
    if (n & (n - 1))
        return v;
    void *bigger = arena_alloc(a, size * (n ? n * 2 : 1));

    if (n)
        memcpy(bigger, v, n * size);
    return bigger;
}

size_t list_room(size_t n) {
    size_t room = 1;

    while (room < n)
        room *= 2;
    return room;
}

void *list_add(struct arena *a, struct list *l, size_t size) {
    l->v = grown(a, l->v, l->n, size);
    void *item = (unsigned char *)l->v + l->n++ * size;

    memset(item, 0, size);
    return item;
}

void strs_add(struct arena *a, struct strs *s, const char *value) {
    s->v = grown(a, s->v, s->n, sizeof(*s->v));
    s->v[s->n++] = value;
}

bool strs_has(const struct strs *s, const char *value) {
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->v[i], value) == 0)
            return true;
    return false;
}

void map_set(struct arena *a, struct map *m, const char *key, const char *value) {
    for (size_t i = 0; i < m->n; i++) {
        if (strcmp(m->v[i].key, key) == 0) {
            m->v[i].value = value;
            return;
        }
    }
    m->v = grown(a, m->v, m->n, sizeof(*m->v));
    m->v[m->n++] = (struct pair){key, value};
}

void map_set_text(struct arena *a, struct map *m, const char *text) {
    const char *equals = strchr(text, '=');

    if (equals)
        map_set(a, m, arena_strndup(a, text, (size_t)(equals - text)), equals + 1);
    else
        map_set(a, m, text, "");
}

void map_set_texts(struct arena *a, struct map *m, const struct strs *texts) {
    for (size_t i = 0; i < texts->n; i++)
        map_set_text(a, m, texts->v[i]);
}

const char *map_get(const struct map *m, const char *key) {
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->v[i].key, key) == 0)
            return m->v[i].value;
    return NULL;
}

bool map_fits(const struct map *m, const char *condition) {
    const char *equals = strchr(condition, '=');
    size_t n = equals ? (size_t)(equals - condition) : strlen(condition);

    for (size_t i = 0; i < m->n; i++)
        if (strlen(m->v[i].key) == n && strncmp(m->v[i].key, condition, n) == 0)
            return !equals || strcmp(m->v[i].value, equals + 1) == 0;
    return false;
}
