#include "base/self.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

int self_open_program(const char *name, struct error *e) {
    char path[PATH_MAX + NAME_MAX];
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
    char *slash;
    int fd;

    if (n > 0) {
        path[n] = '\0';
        slash = strrchr(path, '/');
        if (slash) {
            (void)snprintf(slash + 1, NAME_MAX, "%s", name);
            fd = open(path, O_PATH | O_CLOEXEC);
            if (fd >= 0)
                return fd;
        }
    }
    (void)snprintf(path, sizeof(path), "%s/%s", TARE_LIBEXECDIR, name);
    fd = open(path, O_PATH | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    error_errno(e, -errno, "find the program %s beside tare or in %s", name, TARE_LIBEXECDIR);
    return error_hint(e, "the installation is incomplete: make install");
}
