/* Files between a container and the outside. Directories go as archives: one side packs, the other is unpacked by the confined
 * worker. A regular file goes from descriptor to descriptor inside of the kernel. Links of the container are resolved inside of it,
 * never on the host; nothing of the container is executed or loaded.
 *
 * Names follow docker cp: a directory that exists takes the source in, under its name; a source that ends in "/." gives its content
 * only; what does not exist is made with the given name in a directory that does. */
#pragma once

#include "engine/container.h"

struct copy_options {
    bool archive; /* -a: owners as in the source; else the destination's root (a container) or the caller (the host) */
    bool follow;  /* -L: a source that is a link stands for what it leads to */
};

/* bytes: of the archive that went over; may be NULL. -ENOENT "Could not find the file …". */
int container_copy_out(struct engine *engine, const struct container *c, const char *path, const char *host_path,
                       const struct copy_options *o, uint64_t *ret_bytes, struct error *e);
int container_copy_in(struct engine *engine, const struct container *c, const char *host_path, const char *path,
                      const struct copy_options *o, uint64_t *ret_bytes, struct error *e);
/* The same as an archive. In: it may be compressed; `path` is a directory; owners are the archive's. */
int container_archive_out(struct engine *engine, const struct container *c, const char *path, bool follow, int fd, struct error *e);
int container_archive_in(struct engine *engine, const struct container *c, const char *path, int fd, struct error *e);
/* All of its own files, without what is mounted in it. */
int container_export(struct engine *engine, const struct container *c, int fd, struct error *e);
