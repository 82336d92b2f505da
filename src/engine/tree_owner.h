/* Gives a tree to somebody. */
#pragma once

#include <stdint.h>

#include "base/error.h"

/* Changes the owner of what fd (O_PATH will do) is and of everything below it, by descriptor: no link is followed, no other mount
 * entered, whoever is changing the tree meanwhile. What belongs to them already is not touched (its set-user-id bits stay). */
int tree_set_owner(int fd, uint32_t uid, uint32_t gid, struct error *e);
