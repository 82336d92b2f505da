#include "network/rootless.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fs.h"
#include "base/lock.h"
#include "kernel/netns.h"
#include "kernel/sys.h"
#include "network/helper.h"

#define ANSWER_MAX     512
#define END_TIMEOUT_MS 5000
#define MAKE_TRIES_MAX 150 /* of 20 ms: pasta takes 60 ms to come up */

/* The keeper's pid; 0 when there is none. */
static pid_t keeper(const struct roots *roots) {
    _cleanup_fd_ int fd = openat(roots->run_fd, NETNS_KEEPER, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    return fd < 0 ? 0 : lock_owner(fd);
}

static int open_namespace(const struct roots *roots) {
    _cleanup_fd_ int fd = openat(roots->run_fd, NETNS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return -errno;
    return netns_is(fd) ? TAKE_FD(fd) : -ENOENT;
}

/* Starts a keeper and waits for its word: "" when networks are ready, else why not. Two that are started at once are one: the
 * second finds the lock taken, and says -EAGAIN by ending without a word. */
static int start_keeper(const struct roots *roots, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_fd_ int ours = -1, theirs = -1;
    char *const argv[] = {(char[]){HELPER_PROGRAM}, (char[]){"keep"}, arena_printf(&a, "/tare%s/x", roots->tag),
                          arena_printf(&a, "%s", roots->run_root), NULL};
    char answer[ANSWER_MAX + 1];
    int pair[2], fds[2];
    ssize_t n;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(e, -errno, "make a connection to %s", HELPER_PROGRAM);
    ours = pair[0];
    theirs = pair[1];
    fds[0] = theirs;
    fds[1] = roots->run_fd;
    pid = helper_start(argv, fds, ARRAY_SIZE(fds), -1, e);
    if (pid < 0)
        return pid;
    theirs = fd_close(theirs);
    n = read(ours, answer, ANSWER_MAX);
    if (n <= 0)
        return -EAGAIN;
    answer[n] = '\0';
    if (strcmp(answer, "ok") == 0)
        return 0;
    /* "what is wrong\nwhat to do about it" */
    char *hint = strchr(answer, '\n');
    if (hint)
        *hint++ = '\0';
    (void)error_set(e, -ENETUNREACH, "%s", answer);
    return hint ? error_hint(e, "%s", hint) : -ENETUNREACH;
}

int rootless_network_use(const struct roots *roots, bool make, struct error *e) {
    if (!roots->rootless || (netns_used() >= 0 && (!make || keeper(roots))))
        return 0;
    for (int tries = 0;; tries++) {
        int fd = make && !keeper(roots) ? -ENOENT : open_namespace(roots), r;

        if (fd >= 0) {
            netns_use(fd); /* as long as this process lives */
            return 0;
        }
        if (!make) {
            netns_use(NETNS_ABSENT);
            return 0;
        }
        if (tries == MAKE_TRIES_MAX)
            return error_set(e, -EIO, "the process that keeps this user's networks does not come up");
        r = start_keeper(roots, e);
        if (r < 0 && r != -EAGAIN)
            return error_wrap(e, r, "networks of an ordinary user");
        if (r == -EAGAIN)
            (void)usleep(20000); /* another one is being started */
    }
}

int rootless_network_end(const struct roots *roots, struct error *e) {
    pid_t pid = keeper(roots);
    _cleanup_fd_ int fd = pid > 0 ? sys_pidfd_open(pid, 0) : -1;
    struct pollfd p = {.fd = fd, .events = POLLIN};

    if (fd >= 0 && keeper(roots) == pid) {
        (void)sys_pidfd_send_signal(fd, SIGTERM, NULL, 0);
        if (poll(&p, 1, END_TIMEOUT_MS) != 1)
            return error_set(e, -ETIMEDOUT, "the process that keeps this user's networks does not end");
    }
    return 0;
}
