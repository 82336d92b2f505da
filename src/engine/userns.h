/* User namespaces of containers (--userns): which ids of the host stand behind those inside. */
#pragma once

#include "base/id_shift.h"
#include "engine/container.h"
#include "engine/spec.h"
#include "runtime/journal.h"

#define USERNS_RANGE  65536U      /* ids of one container */
#define USERNS_POOL   0x70000000U /* where ranges come from when /etc/subuid names none for tare: above all that people have */
#define USERNS_RANGES 4096U

/* Fills input->id_maps_uid and id_maps_gid by the container's mode:
 *   host, ""    no user namespace
 *   auto        a range of the container's own
 *   nomap       the same: root of the host, who calls, is nobody inside
 *   keep-id     the caller's id, 0, is the same inside; all others come from a range of the container's own
 * The range stays the container's until it is removed, since the files of its upper layer carry these ids. -EDQUOT: all ranges are
 * taken. -EOPNOTSUPP: rootless (the kernel lets only root of the host shift the owners of layers), or together with a namespace of
 * another container. */
int userns_maps(struct engine *engine, const struct container *c, struct arena *a, struct spec_input *input, struct error *e);
/* For `system reset`: the marks that all engines of the machine see. */
void userns_forget(const struct engine *engine);
/* How the ids of its files on the host differ from those inside: nothing, or its range. */
struct id_shift userns_shift(const struct container *c);
/* The same as texts for uid_map(5) and gid_map(5); NULL = no difference. */
void userns_map_texts(const struct container *c, struct arena *a, const char **ret_uids, const char **ret_gids);
/* At create: takes the range, if the mode needs one, and adds to the container's journal what gives it back. */
int userns_reserve(struct engine *engine, const struct container *c, struct arena *a, struct journal *j, struct error *e);
