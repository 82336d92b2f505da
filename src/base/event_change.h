/* A change whose event is told exactly once, also when whoever makes it is killed at any moment: begun before it is made, told
 * after.
 *
 *   RUN_ROOT/changes/HASH    one file a thing that is being changed, locked (flock) while its maker lives: the thing's path below
 * the root with its inode of before, and the event without its time
 *
 * What changes a thing gives its path another inode (written anew and renamed), or takes or leaves it. So whoever finds the file of
 * a dead maker sees whether the change was made, and in the log whether it was told. Two changes of one thing wait for each other,
 * and the second finishes the first one's, when that was killed. */
#pragma once

#include "base/event_log.h"

struct event_change {
    int run_root_fd, root_fd; /* borrowed */
    int fd;                   /* the locked file; -1: none could be made, the event is told all the same */
    char name[17];
    struct buf line; /* the event without its time */
};
#define EVENT_CHANGE_INIT                                                                                                          \
    (struct event_change) {                                                                                                        \
        .run_root_fd = -1, .root_fd = -1, .fd = -1, .line = BUF_INIT                                                               \
    }
/* When the change was not told it was not made. */
#define _cleanup_event_change_ _cleanup_(event_change_release)
void event_change_release(struct event_change *c);

/* path: below root_fd. Not two at once in one process. run_root_fd may be -1: nothing happens. */
void event_change_begin(struct event_change *c, int run_root_fd, int root_fd, const char *path, const struct event *ev);
/* The short way, as event_tell(). */
void event_change_of(struct event_change *c, int run_root_fd, int root_fd, const char *path, const char *type, const char *action,
                     const char *id, ...) __attribute__((sentinel));
void event_change_tell(struct event_change *c);

/* Finishes those whose makers are dead. */
void event_changes_heal(int run_root_fd, int root_fd);
