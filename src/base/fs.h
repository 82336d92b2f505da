/* Files and paths. Everything works relative to a directory descriptor; nothing inside a tree that strangers can change is named by
 * a path string twice (resolve once by openat2(2), then act on the descriptor).
 *
 * Functions return 0 (or a descriptor >= 0) or a negative errno, described in e. Every descriptor is O_CLOEXEC. */
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

/* Opens `path` below dirfd, following no symbolic link and leaving dirfd by no means (RESOLVE_BENEATH|NO_SYMLINKS). -ELOOP: a
 * component is a link; -EXDEV: the path leads out. No error text: callers know what the path means. */
int fs_open_beneath(int dirfd, const char *path, int flags, mode_t mode);
/* Opens `path` as a process whose root is rootfd would see it (RESOLVE_IN_ROOT|NO_MAGICLINKS): links are followed inside. */
int fs_open_in_root(int rootfd, const char *path, int flags, mode_t mode);
/* Opens a directory; `path` may be absolute. O_DIRECTORY|O_CLOEXEC. */
int fs_open_dir(int dirfd, const char *path, struct error *e);

/* Creates `path` and its missing parents (existing ones are kept as they are). For paths of the engine's own only. */
int fs_mkdirs(const char *path, mode_t mode, struct error *e);
/* mkdirs, then opens it. */
int fs_open_dir_make(const char *path, mode_t mode, struct error *e);

/* Reads from fd to its end into b (appended). -EFBIG past `max` bytes. */
int fs_read_fd(int fd, size_t max, struct buf *b, struct error *e);
/* Opens (O_NOFOLLOW|O_NONBLOCK), requires a regular file, reads it whole. -EFBIG past `max`, -EINVAL when not a regular file. */
int fs_read_at(int dirfd, const char *path, size_t max, struct buf *b, struct error *e);
/* Writes all n bytes, going on after short writes and EINTR. Returns 0 or a negative errno (no text). */
int fs_write_all(int fd, const void *p, size_t n);

/* Copies what is in the regular file `from` into the empty file `to`, which is `size` bytes long afterwards: a reflink where the
 * file system has them, else inside of the kernel, the parts that hold data alone. Both were opened by the caller; their offsets
 * move. Returns 0 or a negative errno (no text). */
int fs_copy_data(int from, int to, off_t size);
/* Does the extended attribute belong to the file, rather than to its file system or to the host's policy? */
bool fs_xattr_travels(const char *name);
/* Copies those. The user's own are lost where the file system has none; a capability that is lost would break the program: a
 * negative errno (no text). */
int fs_copy_xattrs(int from, int to);

enum fs_sync {
    FS_NO_SYNC, /* may be lost in a power cut (what dies with the boot, what can be made again) */
    FS_SYNC,    /* file and directory are on the disk when the function returns */
};
/* Replaces (or creates) `name` in dirfd: write to a temporary, fsync if asked, rename, fsync of the directory. Readers see the old
 * or the new content, never a mixture. */
int fs_replace_at(int dirfd, const char *name, const void *p, size_t n, mode_t mode, enum fs_sync sync, struct error *e);
/* As fs_replace_at(), for directories that are never removed: where the file system can make a file without a name, no temporary of
 * a killed writer stays. Where `name` exists, one may, for the moment between two calls: locked (flock) as long as its writer
 * lives, which is how fs_reap_temporary() knows. */
int fs_publish_at(int dirfd, const char *name, const void *p, size_t n, mode_t mode, enum fs_sync sync, struct error *e);
/* Removes a temporary whose writer is dead. For fs_each(). */
int fs_reap_temporary(int dirfd, const char *name, void *unused, struct error *e);
/* As fs_publish_at(), but -EEXIST when `name` exists (the name is taken by link(2): never look-then-write). */
int fs_create_at(int dirfd, const char *name, const void *p, size_t n, mode_t mode, enum fs_sync sync, struct error *e);

/* Removes `name` in dirfd with everything below it, without following links or crossing into other mounts. Absent is success. */
int fs_remove_tree_at(int dirfd, const char *name, struct error *e);
/* unlink; absent is success. */
int fs_unlink_at(int dirfd, const char *name, struct error *e);

/* Calls fn for each entry of the directory except . and .. ; a non-zero return of fn ends the walk and is returned. The directory
 * is opened anew (dirfd's own offset is not used). */
typedef int fs_each_fn(int dirfd, const char *name, void *arg, struct error *e);
int fs_each(int dirfd, const char *path, fs_each_fn *fn, void *arg, struct error *e);

/* A walk that holds a descriptor for each level ends somewhere: "directories are nested deeper than 512: a/a/a/…". Returns -ELOOP.
 */
int fs_too_deep(int depth_max, const char *path, struct error *e);

/* The path that a descriptor stands for, read from /proc/self/fd; for messages and for the plan's display only. Owned by caller;
 * NULL when it cannot be read. */
char *fs_fd_path(int fd);
