/* Which ids of the host stand behind those of a container with a user namespace of its own. "The host" is the namespace that the
 * engine runs in: for an ordinary user the one that he is root of. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Of users, or of groups. */
struct id_map {
    uint32_t start; /* of the host: what 0 inside is; 1 inside is start + 1, … */
    uint32_t size;  /* ids inside; 0 = the same ids inside and outside */
    uint32_t keeps; /* one id inside is 0 of the host, wherever the others are: */
    uint32_t kept;  /* this one */
    uint32_t other; /* of the host: whom files belong to whose owner has no id inside; nobody inside has it */
};

struct id_shift {
    struct id_map uids, gids;
};

static inline bool id_shift_is_any(const struct id_shift *s) {
    return s->uids.size > 0;
}
/* The id inside. Ids that have none stay as they are. */
static inline uint32_t id_inside(const struct id_map *m, uint32_t id) {
    if (m->size && m->keeps && id == 0)
        return m->kept;
    return m->size && id >= m->start && id - m->start < m->size ? id - m->start : id;
}
/* The id outside. */
static inline uint32_t id_outside(const struct id_map *m, uint32_t id) {
    if (m->size == 0)
        return id;
    if (m->keeps && id == m->kept)
        return 0;
    return id < m->size ? m->start + id : m->other;
}
