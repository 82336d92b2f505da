/* Which ids of the host stand behind those of a container with a user namespace of its own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct id_shift {
    uint32_t uid, gid;  /* of the host: what 0 inside is */
    uint32_t size;      /* ids inside; 0 = the same ids inside and outside */
    uint32_t keep_root; /* 0 alone is the same on both sides */
};

/* The id inside. Ids that have none stay as they are. */
static inline uint32_t id_shift_in(const struct id_shift *s, uint32_t start, uint32_t id) {
    return s->size && id >= start && id - start < s->size ? id - start : id;
}
/* The id outside. */
static inline uint32_t id_shift_out(const struct id_shift *s, uint32_t start, uint32_t id) {
    return id < s->size && !(id == 0 && s->keep_root) ? start + id : id;
}
