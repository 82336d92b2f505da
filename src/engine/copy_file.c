#include "engine/copy_file.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"

#define BLOCK       512                /* of an archive */
#define UNSIZED_MAX ((size_t)16 << 20) /* one that never ends is cut */

static int open_source(const struct copy_place *from, struct stat *ret, struct error *e) {
    _cleanup_fd_ int fd = openat(from->dirfd, from->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, ret) < 0)
        return error_errno(e, -errno, "open %s", from->name);
    if (!S_ISREG(ret->st_mode)) /* another thing took its name meanwhile */
        return error_errno(e, -ESTALE, "open %s", from->name);
    return TAKE_FD(fd);
}

static int make_target(int dirfd, const char *name, struct error *e) {
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(dirfd, name, flags, 0600);

    if (fd < 0 && errno == EEXIST) {
        if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
            return errno == EISDIR ? error_set(e, -EISDIR, "cannot overwrite directory with non-directory")
                                   : error_errno(e, -errno, "replace %s", name);
        fd = openat(dirfd, name, flags, 0600);
    }
    return fd < 0 ? error_errno(e, -errno, "create %s", name) : fd;
}

/* Owner before mode: a change of owner takes the set-user-ID bits and capabilities away. */
static int set_metadata(int in, int out, const struct stat *st, const struct tar_stream *as, const struct id_shift *owners,
                        struct error *e) {
    const struct timespec times[2] = {st->st_mtim, st->st_mtim};
    uint32_t uid, gid;
    int r;

    if (as) {
        tar_stream_owner(as, st, &uid, &gid);
        if (owners) {
            uid = id_outside(&owners->uids, uid);
            gid = id_outside(&owners->gids, gid);
        }
        if (fchown(out, uid, gid) < 0)
            return error_errno(e, -errno, "change the owner to %u:%u", uid, gid);
    }
    if (fchmod(out, st->st_mode & 07777) < 0)
        return error_errno(e, -errno, "change the mode");
    r = fs_copy_xattrs(in, out);
    if (r < 0)
        return error_errno(e, r, "set the extended attributes");
    return futimens(out, times) < 0 ? error_errno(e, -errno, "set the times") : 0;
}

/* Files of /proc and /sys in a container that runs have content without a size. */
static int copy_unsized(int in, int out) {
    char block[4096];
    size_t total = 0;
    ssize_t n;

    while ((n = read(in, block, sizeof(block))) > 0 && total < UNSIZED_MAX) {
        int r = fs_write_all(out, block, (size_t)n);

        if (r < 0)
            return r;
        total += (size_t)n;
    }
    return n < 0 && errno != EAGAIN ? -errno : 0;
}

int copy_file_over(const struct copy_place *from, int dirfd, const char *name, const struct tar_stream *as,
                   const struct id_shift *owners, uint64_t *ret_bytes, struct error *e) {
    struct stat st;
    _cleanup_fd_ int in = open_source(from, &st, e), out = -1;
    int r;

    if (in < 0)
        return in;
    out = make_target(dirfd, name, e);
    if (out < 0)
        return out;
    r = st.st_size > 0 ? fs_copy_data(in, out, st.st_size) : copy_unsized(in, out);
    r = r < 0 ? error_errno(e, r, "copy %s", name) : set_metadata(in, out, &st, as, owners, e);
    if (r < 0) {
        (void)unlinkat(dirfd, name, 0); /* half a file would pass for the whole */
        return r;
    }
    if (ret_bytes)
        *ret_bytes = 3 * (uint64_t)BLOCK + ((uint64_t)st.st_size + BLOCK - 1) / BLOCK * BLOCK;
    return 0;
}
