/* What a container changed in its image's files: read from its upper directory. What lies below is only asked for single names; the
 * layers are never walked. Where its files are a whole copy, both are. */
#pragma once

#include <sys/stat.h>

#include "base/id_shift.h"
#include "engine/container.h"

enum change_kind { CHANGE_MODIFIED, CHANGE_ADDED, CHANGE_DELETED }; /* the numbers of the Engine API */

struct change {
    enum change_kind kind;
    const char *path; /* absolute, in the container */
};
char change_letter(enum change_kind kind); /* C, A, D */

/* In the order of their paths. What the engine itself puts there for its mounts (/etc/hosts, /proc, …) does not count, unless it
 * has content. ret: of struct change, in the arena. -ENOTSUP: the container writes into a directory of the host (--rootfs DIR:rw).
 */
int container_changes(struct engine *engine, const struct container *c, struct arena *a, struct list *ret, struct error *e);
/* The same for any upper directory over any layers (open directories, top first). `whole`: it is a copy of them in which something
 * was changed. `shift`: of the owners in `upper`. */
int changes_read(int upper, bool whole, const struct id_shift *shift, const int *lowers, size_t n, struct arena *a,
                 struct list *ret, struct error *e);
