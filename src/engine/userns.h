/* User namespaces of containers (--userns): which ids of the host stand behind those inside. */
#pragma once

#include "base/id_shift.h"
#include "engine/container.h"
#include "engine/spec.h"
#include "runtime/journal.h"

/* Fills input->id_maps_uid and id_maps_gid by the container's mode:
 *   host, ""    no user namespace
 *   auto        a range of the container's own
 *   nomap       the caller is nobody inside. Root: as auto. An ordinary user: all ids of his, but his own
 *   keep-id     the caller's id (or uid=, gid=) is the same inside; all others come, for root, from a range of the container's own,
 *               for an ordinary user from his
 * What was chosen stays the container's until it is removed, since the files of its upper layer carry these ids. -EDQUOT: all
 * ranges are taken. -EOPNOTSUPP: only one id is mapped, or together with a namespace of another container. */
int userns_maps(struct engine *engine, const struct container *c, struct arena *a, struct spec_input *input, struct error *e);
/* How the ids of its files on the host differ from those inside: nothing, or its range. */
struct id_shift userns_shift(const struct container *c);
/* Where ids of the host go into the container, or come from there, as they are (cp -a): the one that the container keeps is the
 * same person on both sides. */
struct id_shift userns_host_in(const struct container *c);
struct id_shift userns_host_out(const struct container *c);
/* The same as texts for uid_map(5) and gid_map(5), where a mount can show layers so; NULL = they are right as they are. */
void userns_map_texts(const struct engine *engine, const struct container *c, struct arena *a, const char **ret_uids,
                      const char **ret_gids);
/* At create: takes the range, if the mode needs one, and adds to the container's journal what gives it back. */
int userns_reserve(struct engine *engine, const struct container *c, struct arena *a, struct journal *j, struct error *e);
/* At create: with keep-id the user is the caller, where neither the command nor the image names one. */
void userns_default_user(const struct engine *engine, struct arena *a, struct container_record *c);
/* With keep-id: who the caller is inside. False with every other mode. */
bool userns_kept(const struct engine *engine, const struct container *c, uint32_t *ret_uid, uint32_t *ret_gid);
/* The directories that its overlay stands on, top first. Root shifts owners when he mounts them. The kernel lets nobody else do so
 * with the host's file systems: an ordinary user's are copies with other owners, made when they are first needed (`make`), for all
 * containers with the same ids. None for a container with files of its own (own_files.h). */
int userns_layers(struct engine *engine, const struct container *c, bool make, struct arena *a, struct strs *ret, struct error *e);
