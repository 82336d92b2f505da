/* Shows a pull or push as Docker does: on a terminal a line for each layer, redrawn in place, with a bar; else a line for each
 * layer when it is complete. Quiet shows nothing. */
#pragma once

#include <stdio.h>

#include "base/arena.h"
#include "image/pull.h"

struct pull_view {
    FILE *out;
    bool terminal, quiet;
    unsigned columns, rows; /* of the terminal */
    struct arena arena;
    struct list layers; /* of struct pull_view_layer */
    struct image_progress progress;
    struct pull_observer observer; /* for pull_options; valid while the view lives where it was initialised */
};

void pull_view_init(struct pull_view *v, FILE *out, bool quiet);
void pull_view_end(struct pull_view *v);
/* The bar alone: "[=====>   ]  1.2MB/3.4MB", `width` characters between the brackets; only the sizes when that is 0. */
void pull_view_bar(uint64_t done, uint64_t total, unsigned width, struct buf *out);
