/* The other programs of this installation (tare-monitor, tare-fetch, tare-unpack): beside the running one in a build tree, in the
 * libexec directory once installed. PATH is never searched. */
#pragma once

#include "base/error.h"

/* Opens the program O_PATH|O_CLOEXEC for execveat(2); `name` without a slash. -ENOENT. */
int self_open_program(const char *name, struct error *e);
