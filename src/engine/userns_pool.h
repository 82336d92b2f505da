/* The pool that ranges of ids for user namespaces come from. It is cut into slots of one size; a range is one slot or several in a
 * row. Who has which stands in two places, as symbolic links: ROOT/userns/SLOT, whose text is the container's id, and, for engines
 * of other roots, in the directory roots->userns by the range's first id, whose text is the container's directory. A link whose
 * owner is no more is nobody's. */
#pragma once

#include "engine/engine.h"
#include "runtime/journal.h"

struct userns_range {
    uint32_t uid, gid; /* first ids on the host */
    uint32_t slot, slots;
};

/* Of root: ranges of userns_user in /etc/subuid and /etc/subgid, or some above all that people have; 65536 ids a slot. Of an
 * ordinary user: the ids of his namespace, but 0; 1024 a slot. */
uint32_t userns_pool_slot_size(const struct engine *engine);
/* Takes `slots` of them for the container. -EDQUOT: there are not so many free in a row. */
int userns_pool_take(struct engine *engine, const char *id, uint32_t slots, struct userns_range *ret, struct error *e);
/* What gives them back. */
void userns_pool_journal(const struct engine *engine, const struct userns_range *range, struct arena *a, struct journal *j);
/* For `system reset`: the marks that other engines see. */
void userns_pool_forget(const struct engine *engine);
