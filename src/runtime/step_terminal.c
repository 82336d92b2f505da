/* Steps of the child: its terminal and its session. */
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "runtime/executor_state.h"

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

/* The devpts that this container mounted; joining, the one on its /dev/pts, if it is one. */
static int pts_open(struct executor *x, struct error *e) {
    struct statfs fs;
    int r;

    if (x->pts_fd >= 0)
        return x->pts_fd;
    r = x->pts_fd = open_how(x->root_fd >= 0 ? x->root_fd : AT_FDCWD, "/dev/pts", O_PATH | O_DIRECTORY, 0,
                             RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
    if (r >= 0)
        r = sys_fstatfs(x->pts_fd, &fs);
    if (r >= 0 && fs.f_type != DEVPTS_SUPER_MAGIC)
        r = -ENODEV;
    return r < 0 ? error_errno(e, r, "open /dev/pts of the container") : x->pts_fd;
}

static int pty_open(struct executor *x, int pts, const struct plan_step *s, int *ret_master, struct error *e) {
    const int unlock = 0;
    const bool planned = s->arg[2] && s->arg[3];
    const struct winsize size = {.ws_row = planned ? (unsigned short)s->arg[2] : x->io->rows,
                                 .ws_col = planned ? (unsigned short)s->arg[3] : x->io->columns};
    _cleanup_fd_ int master = sys_openat(pts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC, 0);
    int r;

    if (master < 0)
        return error_errno(e, master, "open a terminal");
    r = sys_ioctl(master, TIOCSPTLCK, &unlock);
    if (r == 0) /* the slave by its master, not by a path (4.13) */
        r = x->terminal_fd = sys_ioctl(master, TIOCGPTPEER, (const void *)(uintptr_t)(O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (r >= 0 && size.ws_row && size.ws_col)
        r = sys_ioctl(master, TIOCSWINSZ, &size);
    if (r < 0)
        return error_errno(e, r, "open a terminal");
    *ret_master = TAKE_FD(master);
    return 0;
}

static int bind_console(struct executor *x, struct error *e) {
    _cleanup_fd_ int mount = sys_open_tree(x->terminal_fd, "", OPEN_TREE_CLONE | O_CLOEXEC | (unsigned)AT_EMPTY_PATH), target = -1;
    int r;

    if (mount < 0)
        return error_errno(e, mount, "clone the terminal for /dev/console");
    target = target_open(x, "/dev/console", true, false, e);
    if (target < 0)
        return target;
    r = sys_move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    return r < 0 ? error_errno(e, r, "mount the terminal on /dev/console") : 0;
}

int step_terminal(struct executor *x, const struct plan_step *s, struct error *e) {
    _cleanup_fd_ int master = -1;
    int pts = pts_open(x, e);
    int r = pts < 0 ? pts : pty_open(x, pts, s, &master, e);

    if (r == 0 && s->arg[1]) {
        r = sys_fchown(x->terminal_fd, (uid_t)s->arg[1], (gid_t)-1);
        if (r < 0)
            return error_errno(e, r, "give the terminal to user %lld", (long long)s->arg[1]);
    }
    if (r == 0 && s->arg[0])
        r = bind_console(x, e);
    if (r < 0)
        return r;
    r = sync_send(x, SYNC_CONSOLE, master);
    return r < 0 ? error_errno(e, r, "send the terminal to the monitor") : 0;
}

static int set_stream(int fd, int number, struct error *e) {
    int r;

    if (fd < 0)
        return 0;
    r = fd == number ? sys_fcntl(fd, F_SETFD, 0) : sys_dup3(fd, number, 0);
    return r < 0 ? error_errno(e, r, "connect stream %d", number) : 0;
}

static bool is_null(int fd) {
    struct stat st;

    return sys_fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* A stream that is the host's /dev/null becomes the container's: through it the mode and the owner of the host's could be changed,
 * and callers leave it open for reading only. What a container has put in the place of its own is not taken, nor waited for. */
static void own_null_streams(void) {
    int own = -1;

    for (int i = 0; i < 3; i++) {
        if (!is_null(i))
            continue;
        if (own < 0)
            own = sys_openat(AT_FDCWD, "/dev/null", O_RDWR | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0);
        if (own < 0 || !is_null(own) || sys_fcntl(own, F_SETFL, 0) < 0)
            break;
        (void)sys_dup3(own, i, 0);
    }
    if (own >= 0)
        (void)sys_close(own);
}

int step_session(struct executor *x, const struct plan_step *s, struct error *e) {
    bool terminal = s->arg[0];
    int streams[3] = {terminal ? x->terminal_fd : x->io->in, terminal ? x->terminal_fd : x->io->out,
                      terminal ? x->terminal_fd : x->io->err};
    sigset_t none;
    int r = sys_setsid();

    if (r >= 0 && terminal)
        r = sys_ioctl(x->terminal_fd, TIOCSCTTY, NULL);
    if (r < 0)
        return error_errno(e, r, "begin a session");
    for (int i = 0; i < 3; i++) {
        r = set_stream(streams[i], i, e);
        if (r < 0)
            return r;
    }
    if (!terminal)
        own_null_streams();
    x->in_session = true;
    sigemptyset(&none); /* the monitor blocks signals to read them from a descriptor */
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    return 0;
}
