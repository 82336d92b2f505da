#include <fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"

#define CALL_MAX ((off_t)64 << 20) /* one call; between two a signal is seen */

/* What copy_file_range(2) says where it cannot copy between these two: other file systems, an overlay on one side. */
static bool is_elsewhere(int error) {
    return error == EXDEV || error == EINVAL || error == EOPNOTSUPP || error == ENOSYS;
}

/* The bytes from `at` to `end`, inside of the kernel. *by_range: copy_file_range(2) works here, as far as is known. */
static int copy_range(int from, int to, off_t at, off_t end, bool *by_range) {
    while (at < end) {
        off_t in = at, out = at;
        size_t part = (size_t)MIN_OF(end - at, CALL_MAX);
        ssize_t n;

        if (*by_range)
            n = copy_file_range(from, &in, to, &out, part, 0);
        else
            n = lseek(to, at, SEEK_SET) < 0 ? -1 : sendfile(to, from, &in, part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && *by_range && is_elsewhere(errno)) {
            *by_range = false;
            continue;
        }
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0; /* it became shorter meanwhile */
        at += n;
    }
    return 0;
}

int fs_copy_data(int from, int to, off_t size) {
    bool by_range = true;

    if (ioctl(to, FICLONE, from) == 0)
        return 0;
    for (off_t at = 0, end; at < size; at = end) {
        off_t data = lseek(from, at, SEEK_DATA);
        int r;

        if (data < 0 && errno == ENXIO) /* nothing but a hole is left */
            break;
        if (data < 0) /* a file system that knows no holes */
            data = at;
        end = lseek(from, data, SEEK_HOLE);
        if (end < 0 || end > size)
            end = size;
        r = copy_range(from, to, data, end, &by_range);
        if (r < 0)
            return r;
    }
    return ftruncate(to, size) < 0 ? -errno : 0;
}

bool fs_xattr_travels(const char *name) {
    if (strcmp(name, "security.capability") == 0)
        return true;
    return strncmp(name, "user.", 5) == 0 && name[5] && strncmp(name, "user.overlay.", 13) != 0 && strlen(name) <= XATTR_NAME_MAX;
}

int fs_copy_xattrs(int from, int to) {
    _cleanup_free_ char *names = NULL, *value = NULL;
    ssize_t size = flistxattr(from, NULL, 0);

    if (size <= 0)
        return 0;
    names = malloc(XATTR_LIST_MAX);
    value = malloc(XATTR_SIZE_MAX);
    if (!names || !value)
        return -ENOMEM;
    size = flistxattr(from, names, XATTR_LIST_MAX);
    for (const char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
        ssize_t n = fs_xattr_travels(name) ? fgetxattr(from, name, value, XATTR_SIZE_MAX) : -1;

        if (n >= 0 && fsetxattr(to, name, value, (size_t)n, 0) < 0 && strncmp(name, "user.", 5) != 0)
            return -errno;
    }
    return 0;
}
