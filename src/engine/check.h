/* `tare system check` and `system reset`: the whole of both roots looked over, mended, or given back. */
#pragma once

#include "engine/heal.h"
#include "image/image.h"

struct check_options {
    bool repair;
    bool quick; /* do not hash the blobs (that reads all of them) */
};

/* One finding, as a sentence; `repaired` tells whether it was mended. */
struct check_finding {
    const char *text;
    bool repaired;
};

/* Journals without a living owner, torn files, layers and blobs that are not what they should be, names and volume users of
 * containers that are gone. ret: of struct check_finding, empty = all is well. Returns a negative errno only when it could not
 * look. */
int engine_check(struct engine *engine, const struct check_options *o, struct arena *a, struct list *ret, struct error *e);

/* Removes everything under both roots and whatever stands for it on the host: containers (running ones are killed), networks, the
 * nftables table, images, volumes. Goes on past failures and returns the first. */
int engine_reset(struct engine *engine, struct error *e);
