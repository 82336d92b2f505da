/* RUN_ROOT/pending/ID: an operation on a container is under way. Its maker holds the file's record lock; an entry that nobody holds
 * is of a command that was killed, and whoever meets it finishes or undoes the operation (engine/heal.h).
 *
 * The lock is taken after the file is there, so a healer may take a new entry for a dead one and remove it: begin() looks whether
 * the name still leads to the file that it locked, and begins again if not. Locks are of the process: a process that holds an entry
 * must not open the same one again (closing it would lose the lock). */
#pragma once

#include "engine/engine.h"

/* What to do when the maker is dead. The letter stands in the file; none yet: nothing had been done. */
enum pending_kind {
    PENDING_RUN = 'u',    /* `run --rm` that has not started yet: undone, and removed */
    PENDING_CREATE = 'c', /* without config.json the container is undone */
    PENDING_START = 's',  /* the run directory is undone */
    PENDING_STOP = 'e',   /* the same: it is stopped, to be removed then */
    PENDING_REMOVE = 'r', /* the removal is carried on */
    PENDING_CHANGE = 'm', /* its record is changed: names that the record does not have are given back */
};

/* Returns the descriptor that holds it; waits for another command, up to 10 s (then -EBUSY). One that is dead is taken over; for
 * PENDING_CHANGE it must have been healed before: -ESTALE. */
int pending_begin(struct engine *engine, const char *id, enum pending_kind kind, struct error *e);
/* The operation goes on to something else. */
int pending_become(int fd, enum pending_kind kind, struct error *e);
void pending_end(struct engine *engine, const char *id, int fd);
/* For healing: takes a dead entry; *ret_kind 0 when nothing had been done. -EAGAIN: its maker lives. -ENOENT. */
int pending_seize(struct engine *engine, const char *id, enum pending_kind *ret_kind);
/* Does a living command work on the container? Not to be asked by the process that holds it. */
bool pending_is_held(struct engine *engine, const char *id);
