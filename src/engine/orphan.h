/* A container whose monitor was killed: whoever looks the container up gives it another one, which watches it, drains its output
 * and starts it again as its policy says, or, when it has ended, clears up behind it. */
#pragma once

#include "engine/container.h"

/* Usually one look at a lock. false: it had ended, with --rm, and is removed now. Where no monitor can be started it stays as it
 * is: the commands do without. */
bool orphan_look_after(struct engine *engine, struct container *c);
