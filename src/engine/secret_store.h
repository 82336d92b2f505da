/* For the files secret*.c only: the bytes. */
#pragma once

#include "engine/secret.h"

/* Appends the bytes of a secret. -ENOENT "no such secret". */
int secret_read(const struct roots *roots, const char *name, struct arena *a, struct buf *data, struct error *e);
/* Overwrites and releases. */
void secret_forget(struct buf *b);
