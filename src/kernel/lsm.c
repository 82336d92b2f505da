#include "kernel/lsm.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>

#include "base/fs.h"
#include "kernel/sys.h"

#define PROFILES_MAX ((size_t)1 << 20)

extern const unsigned char apparmor_policy[];
extern const size_t apparmor_policy_size;

bool lsm_has_apparmor(void) {
    _cleanup_fd_ int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
    char answer;

    return fd >= 0 && read(fd, &answer, 1) == 1 && answer == 'Y';
}

static int securityfs_open(const char *path, int flags, struct error *e) {
    _cleanup_fd_ int fs = sys_fsopen("securityfs", FSOPEN_CLOEXEC), root = -1;
    int r = fs;

    if (r >= 0)
        r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    if (r >= 0)
        r = root = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
    if (r >= 0)
        r = fs_open_beneath(root, path, flags, 0);
    return r < 0 ? error_errno(e, r, "open %s of the kernel's security files", path) : r;
}

/* Lines of "name (mode)". */
static bool list_has(char *list, const char *profile) {
    size_t n = strlen(profile);
    char *rest = NULL;

    for (char *line = strtok_r(list, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (strncmp(line, profile, n) == 0 && strncmp(line + n, " (", 2) == 0)
            return true;
    return false;
}

int apparmor_is_loaded(const char *profile, struct error *e) {
    _cleanup_buf_ struct buf list = BUF_WITH_MAX(PROFILES_MAX + 1);
    _cleanup_fd_ int fd = securityfs_open("apparmor/profiles", O_RDONLY, e);
    int r;

    if (fd < 0)
        return fd;
    r = fs_read_fd(fd, PROFILES_MAX, &list, e);
    if (r < 0)
        return error_wrap(e, r, "read AppArmor's profiles");
    buf_add_char(&list, '\0');
    return list.failed ? -ENOMEM : list_has(list.data, profile);
}

/* The kernel takes a policy in one write, or not at all. */
int apparmor_load_default(struct error *e) {
    _cleanup_fd_ int fd = securityfs_open("apparmor/.replace", O_WRONLY, e);
    ssize_t n;

    if (fd < 0)
        return fd;
    n = write(fd, apparmor_policy, apparmor_policy_size);
    return n < 0 ? error_errno(e, -errno, "load the AppArmor profile %s", APPARMOR_DEFAULT) : 0;
}

const char *apparmor_default(bool load) {
    static const char *const others[] = {"docker-default", "containers-default"};

    if (apparmor_is_loaded(APPARMOR_DEFAULT, NULL) > 0 || (load && apparmor_load_default(NULL) == 0))
        return APPARMOR_DEFAULT;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (apparmor_is_loaded(others[i], NULL) > 0)
            return others[i];
    return NULL;
}
