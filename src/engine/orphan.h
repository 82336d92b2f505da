/* A container whose monitor was killed: whoever looks the container up gives it another one, which watches it, drains its output
 * and starts it again as its policy says, or, when it has ended, clears up behind it.
 *
 * One whose run directory somebody removed while it runs is known by its control group: the directory is put back, so that it can
 * be stopped, entered and removed. Its addresses and host ports are not written down any more, and its old monitor, which nobody
 * can reach, keeps its log. */
#pragma once

#include "engine/container.h"

/* Usually one look at a lock. false: it had ended, with --rm, and is removed now. Where no monitor can be started it stays as it
 * is: the commands do without. */
bool orphan_look_after(struct engine *engine, struct container *c);
