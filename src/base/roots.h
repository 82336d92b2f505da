/* Where an engine keeps its things: the data root (lasts) and the run root (gone at boot). Several engines with different roots
 * live side by side on one machine (tests do), so whatever they share with the host (cgroups, the nftables table, bridges) carries
 * a tag derived from the run root: empty for the default roots, "-" and 8 hexadecimal digits for all others. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

#define ROOTS_TAG_MAX 10

struct roots {
    char *root;     /* owned; absolute */
    char *run_root; /* owned; absolute */
    char *userns;   /* owned; absolute: beside the default data root, where engines of all roots mark ranges of ids; NULL: none */
    int root_fd;    /* open directories; owned */
    int run_fd;
    char tag[ROOTS_TAG_MAX]; /* "" or "-1a2b3c4d" */
    bool rootless;           /* root of a user namespace only */
    bool single_id;          /* of one that maps nobody but its owner */
    uid_t uid;               /* who calls, outside of that namespace; inside he is 0 */
    gid_t gid;
    uint32_t uids, gids; /* ids that the namespace has, from 0 on; UINT32_MAX: the host's */
};

#define ROOTS_INIT                                                                                                                 \
    { .root_fd = -1, .run_fd = -1 }
#define _cleanup_roots_ _cleanup_(roots_release)

/* The paths alone, with their tag; opens nothing. NULL means the default: /var/lib/tare and /run/tare for uid 0, else
 * $XDG_DATA_HOME/tare (~/.local/share/tare) and $XDG_RUNTIME_DIR/tare (/tmp/tare-run-UID when unset). `uid` is that of the user,
 * also after he became root of a user namespace. */
int roots_name(const char *root, const char *run_root, uid_t uid, struct roots *ret, struct error *e);
/* Opens (creating, mode 0711 and 0700) both. The run root must belong to the caller. */
int roots_open(struct roots *r, struct error *e);
void roots_release(struct roots *r);
