#include "kernel/cgroup_file.h"

#include <string.h>

#include "kernel/sys.h"

int cgroup_open_dir(const char *dir) {
    return sys_openat(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}

int cgroup_open_group(const struct cgroup_layout *layout, int hierarchy, const char *path) {
    char dir[CGROUP_MOUNT_MAX + CGROUP_PATH_MAX];
    int n = snprintf(dir, sizeof(dir), "%s%s", layout->hierarchies[hierarchy].mount, path);

    return n < 0 || (size_t)n >= sizeof(dir) ? -ENAMETOOLONG : cgroup_open_dir(dir);
}

int cgroup_read(int dirfd, const char *file, char text[CGROUP_TEXT_MAX]) {
    _cleanup_fd_ int fd = sys_openat(dirfd, file, O_RDONLY | O_CLOEXEC, 0);
    size_t n = 0;

    if (fd < 0)
        return fd;
    while (n < CGROUP_TEXT_MAX - 1) {
        ssize_t r = sys_read(fd, text + n, CGROUP_TEXT_MAX - 1 - n);

        if (r < 0)
            return (int)r;
        if (r == 0)
            break;
        n += (size_t)r;
    }
    text[n] = '\0';
    return 0;
}

int cgroup_write(int dirfd, const char *file, const char *value) {
    _cleanup_fd_ int fd = sys_openat(dirfd, file, O_WRONLY | O_CLOEXEC, 0);
    ssize_t n;

    if (fd < 0)
        return fd;
    n = sys_write(fd, value, strlen(value));
    return n < 0 ? (int)n : 0;
}

bool cgroup_find_number(const char *text, const char *key, uint64_t *ret) {
    size_t n = strlen(key);

    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, n) == 0 && line[n] == ' ') {
            *ret = strtoull(line + n + 1, NULL, 10);
            return true;
        }
    }
    return false;
}
