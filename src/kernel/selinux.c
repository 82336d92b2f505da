#include "kernel/selinux.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "kernel/sys.h"

#define FILE_MAX ((size_t)64 << 10)

bool selinux_is_on(void) {
    return faccessat(AT_FDCWD, "/sys/fs/selinux/enforce", F_OK, 0) == 0;
}

/* The value of the first line "key = value" or "key=value", without quotes; false when there is none. */
static bool find_value(const char *text, const char *key, char *ret, size_t size) {
    size_t n = strlen(key);

    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *v = line + strspn(line, " \t");

        if (strncmp(v, key, n) != 0 || v[n + strspn(v + n, " \t")] != '=')
            continue;
        v += n + strspn(v + n, " \t=\"");
        n = strcspn(v, "\" \t\n");
        if (n == 0 || n >= size)
            return false;
        memcpy(ret, v, n);
        ret[n] = '\0';
        return true;
    }
    return false;
}

int selinux_contexts_read(struct selinux_contexts *ret, struct error *e) {
    _cleanup_buf_ struct buf config = BUF_INIT, contexts = BUF_INIT;
    char policy[64], path[128];
    int r = fs_read_at(AT_FDCWD, "/etc/selinux/config", FILE_MAX, &config, e);

    if (r == 0 && !find_value(buf_text(&config), "SELINUXTYPE", policy, sizeof(policy)))
        r = error_set(e, -ENOENT, "/etc/selinux/config: no SELINUXTYPE");
    if (r < 0)
        return r;
    (void)snprintf(path, sizeof(path), "/etc/selinux/%s/contexts/lxc_contexts", policy);
    r = fs_read_at(AT_FDCWD, path, FILE_MAX, &contexts, e);
    if (r == 0 && (!find_value(buf_text(&contexts), "process", ret->process, sizeof(ret->process)) ||
                   !find_value(buf_text(&contexts), "file", ret->files, sizeof(ret->files))))
        r = error_set(e, -ENOENT, "%s: no contexts for a container's processes and files", path);
    return r;
}

int selinux_check(const char *context, struct error *e) {
    _cleanup_fd_ int fd = open("/sys/fs/selinux/context", O_RDWR | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : write(fd, context, strlen(context) + 1);

    if (n < 0 && errno != EINVAL)
        return error_errno(e, -errno, "ask SELinux's policy for the context %s", context);
    return n < 0 ? error_set(e, -EINVAL, "SELinux's policy does not know the context %s", context) : 0;
}
