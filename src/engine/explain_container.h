/* Why a container is reached or not, in plain words: `tare network explain CONTAINER`. */
#pragma once

#include "base/buf.h"
#include "engine/engine.h"

/* Appends the text. -ENOENT: no such container. */
int explain_container(struct engine *engine, const char *name, struct arena *a, struct buf *out, struct error *e);
