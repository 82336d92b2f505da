/* The journals of a container that last: what its removal undoes, and what an unfinished creation does. */
#pragma once

#include "engine/container.h"
#include "runtime/journal.h"

/* Of the container's own directory: what goes with a creation that does not come to its end. */
#define UNFINISHED_JOURNAL "unfinished"
/* Undoes a creation that was cut short (it has no config.json); for healing. */
int container_undo_creation(struct engine *engine, const char *id, int dirfd, struct error *e);
/* Writes what the container's end takes away; undone from the last line to the first. other_name: a second name that it has while
 * it is renamed; NULL. */
int container_journal_write(struct engine *engine, const struct container *c, const char *other_name, bool lasting, struct arena *a,
                            struct error *e);
/* Lines of its volumes without a name, which go with it. */
void container_journal_volumes(const struct engine *engine, const struct container *c, struct arena *a, struct journal *j);
/* Does it use images: its own, or one that a mount shows? */
bool container_has_images(const struct container *c);
/* On a CNI network: the line that has the plugins take everything back; in both journals, since they may keep things over a reboot.
 */
void cni_journal(const struct engine *engine, const char *id, struct arena *a, struct journal *j);
/* That of the namespace; in the run journal, before the other. */
void cni_journal_namespace(const struct engine *engine, const char *id, struct arena *a, struct journal *j);
