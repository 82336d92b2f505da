/* Writes a POSIX archive (ustar headers; pax records for what these cannot hold) to a descriptor, entry by entry. The same entries
 * give the same bytes: nothing of the host (time, names of users, inode numbers) gets in.
 *
 * Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; SCHILY.xattr as star and libarchive write it. */
#pragma once

#include <sys/stat.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/id_shift.h"

struct tar_stream {
    int fd;         /* borrowed */
    uint64_t bytes; /* written so far, with what waits in `pending` */
    struct buf pending;
    struct arena arena; /* of links */
    struct list links;  /* struct tar_link: files with several names that were written already */
    bool owner_set;     /* all entries belong to uid and gid below, whatever their files do */
    uint32_t uid, gid;
    struct id_shift owners; /* else owners are shown as they are inside of this container */
};

#define TAR_STREAM_INIT(fd_)                                                                                                       \
    { .fd = (fd_) }
#define _cleanup_tar_stream_ _cleanup_(tar_stream_release)
void tar_stream_release(struct tar_stream *t);

/* Adds what `name` is in dirfd (not followed) as `path`: a file with its content, a directory alone, a link, a node. Sockets are
 * left out. A file that was added under another name becomes a hard link. A file that shrinks meanwhile is filled up with zeros.
 * ret_st: what it was; may be NULL. */
int tar_stream_add(struct tar_stream *t, int dirfd, const char *name, const char *path, struct stat *ret_st, struct error *e);
/* An empty file of mode 0 and time 0: how layers say that `path` (its last component begins with .wh.) is deleted. */
int tar_stream_add_mark(struct tar_stream *t, const char *path, struct error *e);
/* The two empty blocks, and everything is handed to the descriptor. */
int tar_stream_end(struct tar_stream *t, struct error *e);

/* Whose a file is in this archive. */
void tar_stream_owner(const struct tar_stream *t, const struct stat *st, uint32_t *ret_uid, uint32_t *ret_gid);

/* A directory with all below it, names in byte order, nothing followed, every step by descriptor. `path`: what the archive calls
 * it; "" = its entries alone, without the directory itself. skip: entries to leave out, by their path in the archive; may be NULL.
 * What vanishes during the walk is left out. */
typedef bool tar_skip_fn(const char *path, const struct stat *st, void *arg);
int tar_stream_add_tree(struct tar_stream *t, int dirfd, const char *name, const char *path, tar_skip_fn *skip, void *arg,
                        struct error *e);
