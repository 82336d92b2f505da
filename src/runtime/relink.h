/* Changing what a monitor goes by while its container runs: in the launch description, the network interfaces with which it is
 * started again, and the name with which its events are told. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

/* Has the file LAUNCH_FILE be what counts, and waits until a start from what it said before is over. Without a
 * monitor it is success: the next begins with the file. */
int relink_settle(int run_dirfd, struct error *e);
/* The interfaces (struct link), after relink_settle(). -ENOENT: nothing will start this container again; -EPROTO: its plan is of
 * another version of tare. */
int relink_read(int run_dirfd, struct arena *a, struct list *ret, struct error *e);
/* `names`: it has a resolver. relink_settle() then tells that no start from the old ones is under way. */
int relink_write(int run_dirfd, const struct list *links, bool names, struct error *e);
/* Nothing to change is success: nobody watches it. */
int relink_name(int run_dirfd, const char *name, const char *event_attributes, struct error *e);
