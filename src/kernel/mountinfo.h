/* The lines of /proc/self/mountinfo. Source: proc_pid_mountinfo(5). */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct mountinfo_span { /* into the text, not terminated */
    const char *text;
    size_t n;
};

struct mountinfo_line {
    struct mountinfo_span point, type, options; /* point is escaped; options are the file system's own */
};

/* The whole text. -EFBIG above 16 MiB. */
int mountinfo_read(struct buf *ret, struct error *e);
/* Takes the next complete line off *text; false at its end. Pure. */
bool mountinfo_next(const char **text, struct mountinfo_line *ret);
/* A mount point without its escapes; false when it does not fit into n bytes. */
bool mountinfo_unescape(struct mountinfo_span in, char *out, size_t n);
bool mountinfo_is(struct mountinfo_span word, const char *text);
