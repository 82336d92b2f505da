/* The control group of tare's own processes: beside the containers', shared by all of them, so that what is done to the caller's
 * session is not done to us. Who leaves last removes it; whoever was killed in it is followed by own_cgroup_remove(). It is made in
 * the first hierarchy first and removed from the last to the first: where the first has none, there is none. A thread that moves
 * itself by `tasks` does not wait for an RCU grace period (version 1). Where moving is not permitted (an ordinary user without
 * delegation), we stay where we are. */
#include "kernel/cgroup_own.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/cgroup.h"

#define GROUP_NAME    "monitors"
#define DEAD_TRIES    20 /* somebody who was killed is a member until he is all gone */
#define DEAD_PAUSE_US 500
#define DIR_ROOM      (CGROUP_MOUNT_MAX + CGROUP_PATH_MAX)

static int move_into(const char *dir, bool unified) {
    char path[DIR_ROOM + 16];
    _cleanup_fd_ int fd = -1;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, unified ? "cgroup.procs" : "tasks");
    fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, "0", 1) < 0 ? -errno : 0;
}

/* The group's directory in one hierarchy; `cgroup` is the container's. false: it has no parent to lie beside in. */
static bool group_dir(const struct cgroup_hierarchy *h, const char *cgroup, char dir[DIR_ROOM]) {
    const char *slash = cgroup ? strrchr(cgroup, '/') : NULL;

    if (!slash || slash == cgroup)
        return false;
    return snprintf(dir, DIR_ROOM, "%s%.*s/" GROUP_NAME, h->mount, (int)(slash - cgroup), cgroup) < DIR_ROOM;
}

int own_cgroup_enter(const char *cgroup) {
    struct cgroup_layout layout;
    char dir[DIR_ROOM];
    int result = 0;

    if (cgroup_layout_read(&layout, NULL) < 0)
        return 0;
    for (int i = 0; i < layout.count; i++) {
        const struct cgroup_hierarchy *h = &layout.hierarchies[i];
        int r = -ENOENT;

        if (!group_dir(h, cgroup, dir))
            return 0;
        /* Again: the last of the others may remove it between our mkdir and our write. */
        for (int attempt = 0; attempt < 3 && (r == -ENOENT || r == -ENODEV); attempt++) {
            (void)mkdir(dir, 0755);
            r = move_into(dir, h->unified);
        }
        if (r == -ENOENT || r == -ENODEV)
            result = -ENOENT;
    }
    return result;
}

static bool has_members(const char *dir) {
    char path[DIR_ROOM + 16], first;
    _cleanup_fd_ int fd = -1;

    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &first, 1) > 0;
}

static bool remove_group(const char *dir) {
    for (int i = 0; rmdir(dir) < 0 && errno != ENOENT; i++) {
        if (i == DEAD_TRIES || errno != EBUSY || has_members(dir))
            return false;
        (void)usleep(DEAD_PAUSE_US);
    }
    return true;
}

static void remove_groups(const struct cgroup_layout *layout, const char *cgroup) {
    char dir[DIR_ROOM];

    for (int i = layout->count - 1; i >= 0; i--)
        if (!group_dir(&layout->hierarchies[i], cgroup, dir) || !remove_group(dir))
            return; /* who is in this one finds the others as he needs them, the first above all */
}

void own_cgroup_leave(const char *cgroup) {
    struct cgroup_layout layout;
    char dir[DIR_ROOM];

    if (cgroup_layout_read(&layout, NULL) < 0)
        return;
    for (int i = 0; i < layout.count; i++) {
        const struct cgroup_hierarchy *h = &layout.hierarchies[i];

        if (!group_dir(h, cgroup, dir))
            return;
        if (access(dir, F_OK) == 0)
            (void)move_into(h->mount, h->unified);
    }
    remove_groups(&layout, cgroup);
}

void own_cgroup_remove(const struct cgroup_layout *layout, const char *cgroup) {
    char dir[DIR_ROOM];

    if (layout->count > 0 && group_dir(&layout->hierarchies[0], cgroup, dir) && access(dir, F_OK) == 0 && !has_members(dir))
        remove_groups(layout, cgroup);
}
