#include "runtime/copy_up.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>

#include "kernel/sys.h"

#define BLOCK 65536

static int copy_dir(int from, int to, unsigned depth, struct error *e);

static int copy_data(int from, int to) {
    char block[BLOCK];

    for (;;) {
        ssize_t n = sys_read(from, block, sizeof(block));

        if (n <= 0)
            return (int)n;
        for (ssize_t done = 0; done < n;) {
            ssize_t w = sys_write(to, block + done, (size_t)(n - done));

            if (w < 0)
                return (int)w;
            done += w;
        }
    }
}

static int copy_file(int from_dir, int to_dir, const char *name, const struct stat *st) {
    _cleanup_fd_ int from = sys_openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0), to = -1;
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    struct stat opened;
    int r;

    if (from < 0)
        return from;
    r = sys_fstat(from, &opened);
    if (r < 0 || !S_ISREG(opened.st_mode))
        return r < 0 ? r : -EAGAIN; /* it was something else a moment ago */
    to = sys_openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return to;
    r = copy_data(from, to);
    if (r == 0)
        r = sys_fchown(to, st->st_uid, st->st_gid);
    if (r == 0)
        r = sys_fchmod(to, st->st_mode & 07777); /* after the owner, which clears the set-user-id bits */
    if (r == 0 && futimens(to, times) < 0)
        r = -errno;
    return r;
}

static int copy_link(int from_dir, int to_dir, const char *name, const struct stat *st) {
    char text[PATH_MAX];
    ssize_t n = sys_readlinkat(from_dir, name, text, sizeof(text) - 1);
    int r;

    if (n < 0)
        return (int)n;
    text[n] = '\0';
    r = sys_symlinkat(text, to_dir, name);
    return r < 0 ? r : sys_fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);
}

static int copy_subdir(int from_dir, int to_dir, const char *name, const struct stat *st, unsigned depth, struct error *e) {
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    _cleanup_fd_ int from = sys_openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0), to = -1;
    int r;

    if (from < 0)
        return from;
    r = sys_mkdirat(to_dir, name, 0700);
    if (r < 0)
        return r;
    r = to = sys_openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (r >= 0)
        r = copy_dir(from, to, depth + 1, e);
    if (r >= 0)
        r = sys_fchown(to, st->st_uid, st->st_gid);
    if (r >= 0)
        r = sys_fchmod(to, st->st_mode & 07777);
    if (r >= 0 && futimens(to, times) < 0)
        r = -errno;
    return r;
}

static int copy_entry(int from, int to, const char *name, unsigned depth, struct error *e) {
    struct stat st;
    int r = sys_newfstatat(from, name, &st, AT_SYMLINK_NOFOLLOW);

    if (r == 0 && S_ISDIR(st.st_mode))
        r = copy_subdir(from, to, name, &st, depth, e);
    else if (r == 0 && S_ISLNK(st.st_mode))
        r = copy_link(from, to, name, &st);
    else if (r == 0 && S_ISREG(st.st_mode))
        r = copy_file(from, to, name, &st);
    return r < 0 && !(e && e->text) ? error_errno(e, r, "copy %s into the tmpfs", name) : r;
}

static int copy_dir(int from, int to, unsigned depth, struct error *e) {
    _Alignas(struct dirent64) char entries[8192];

    if (depth > COPY_UP_DEPTH_MAX)
        return error_set(e, -EFBIG, "the directory below the tmpfs is more than %d levels deep", COPY_UP_DEPTH_MAX);
    for (;;) {
        ssize_t n = sys_getdents64(from, entries, sizeof(entries));

        if (n <= 0)
            return (int)n;
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *d = (const struct dirent64 *)(const void *)(entries + at);
            int r = 0;

            if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
                r = copy_entry(from, to, d->d_name, depth, e);
            if (r < 0)
                return r;
            at += d->d_reclen;
        }
    }
}

int copy_up(int from, int to, struct error *e) {
    _cleanup_fd_ int dir = sys_openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    struct stat st;
    int r;

    if (dir < 0)
        return error_errno(e, dir, "open the directory below the tmpfs");
    r = copy_dir(dir, to, 0, e);
    if (r == 0)
        r = sys_fstat(dir, &st);
    if (r == 0)
        r = sys_fchownat(to, "", st.st_uid, st.st_gid, AT_EMPTY_PATH);
    if (r == 0)
        r = sys_fchmodat(to, ".", st.st_mode & 07777);
    return r < 0 && !(e && e->text) ? error_errno(e, r, "fill the tmpfs") : r;
}
