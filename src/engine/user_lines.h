/* --userns keep-id brings a user along whom the image does not know: a line in its passwd and one in its group, so that `whoami`,
 * shells and everything else that asks for a name find one. */
#pragma once

#include "engine/container.h"

/* At create, before anything runs in it: writes the lines into the container's own files, where the image has an /etc/passwd (an
 * /etc/group) that has neither the id nor, for the name, another one. The home is the user's own where it is mounted, else the
 * working directory. */
int user_lines_add(const struct engine *engine, const struct container *c, struct arena *a, struct error *e);
