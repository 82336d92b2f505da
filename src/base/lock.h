/* Locks on files. A held record lock tells that its holder lives: the kernel drops it when the process ends, whatever ended it.
 *
 * POSIX record locks (fcntl F_SETLK) belong to a process and are not inherited by fork, which is what "is the owner alive" needs;
 * they are lost when the process closes *any* descriptor of the file, so a lock file is opened exactly once by its holder.
 * Open-file-description locks (F_OFD_SETLK) belong to the descriptor: for short critical sections inside one process. */
#pragma once

#include <sys/types.h>

#include "base/error.h"

/* Takes the whole-file exclusive record lock. -EAGAIN when somebody else holds it. */
int lock_own(int fd);
/* The pid that holds the record lock (seen from this pid namespace; -1 = held from another one), 0 when nobody does. */
pid_t lock_owner(int fd);
/* Opens (creating) `name` in dirfd and waits for its open-file-description lock, shared or exclusive. Returns the descriptor;
 * closing it gives the lock up. */
int lock_wait(int dirfd, const char *name, bool exclusive, struct error *e);
