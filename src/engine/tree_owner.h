/* Gives a tree to somebody, or another label. */
#pragma once

#include <stdint.h>

#include "base/error.h"

/* Changes the owner of what fd (O_PATH will do) is and of everything below it, by descriptor: no link is followed, no other mount
 * entered, whoever is changing the tree meanwhile. What belongs to them already is not touched (its set-user-id bits stay). */
int tree_set_owner(int fd, uint32_t uid, uint32_t gid, struct error *e);
/* The same with a context of SELinux. What a file system without such labels says is passed over. */
int tree_set_label(int fd, const char *context, struct error *e);
