#include "kernel/userns_map.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "kernel/sys.h"

static int write_map(int dir, const char *file, const char *text, struct error *e) {
    int fd = sys_openat(dir, file, O_WRONLY | O_CLOEXEC, 0);
    ssize_t n;

    if (fd < 0)
        return error_errno(e, fd, "open %s of the child", file);
    n = sys_write(fd, text, strlen(text));
    (void)sys_close(fd);
    return n < 0 ? error_errno(e, (int)n, "write %s of the child", file) : 0;
}

static int map_and_open(pid_t pid, const char *uids, const char *gids, struct error *e) {
    _cleanup_fd_ int dir = -1;
    char path[32];
    int r;

    (void)snprintf(path, sizeof(path), "/proc/%d", pid); /* not reaped yet, so the number is still the child's */
    dir = sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (dir < 0)
        return error_errno(e, dir, "open the child's /proc directory");
    r = write_map(dir, "uid_map", uids, e);
    if (r == 0)
        r = write_map(dir, "gid_map", gids ? gids : uids, e);
    if (r < 0)
        return r;
    r = sys_openat(dir, "ns/user", O_RDONLY | O_CLOEXEC, 0);
    return r < 0 ? error_errno(e, r, "open a user namespace") : r;
}

/* A process is born into it, mapped, and killed; the descriptor stays. */
int userns_of_maps(const char *uids, const char *gids, struct error *e) {
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    pid_t pid = sys_clone3(&args, sizeof(args));
    int r;

    if (pid == 0)
        for (;;)
            pause();
    if (pid < 0)
        return error_errno(e, pid, "make a user namespace for an idmapped mount");
    r = map_and_open(pid, uids, gids, e);
    (void)sys_kill(pid, SIGKILL);
    (void)sys_wait4(pid, NULL, 0);
    return r;
}
