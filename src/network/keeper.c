/* tare-net in the role `keep`: see network/rootless.h. What it decides by are the kernel's interfaces and the files of the leases
 * alone, so that another keeper can go on when one was killed. */
#include "network/keeper.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/lock.h"
#include "kernel/cgroup_own.h"
#include "kernel/link.h"
#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "kernel/netns_make.h"
#include "kernel/sys.h"
#include "network/rootless.h"
#include "network/uplink.h"

#define CONTROL_FD     3 /* where the first word goes */
#define RUN_FD         4
#define LOOK_MS        100 /* between two looks whether it is over, while nobody has an address or an interface has just come or */
#define LOOKS          20  /* gone: its address is given up a moment earlier or later */
#define LOOK_LONG_MS   10000 /* else: what is healed after a monitor was killed */
#define RETRY_MS       1000  /* until another uplink is started for one that ended; doubled each time */
#define RETRY_MAX_MS   60000
#define KILLED_LOOK_MS 500  /* while the monitor of a container with a pasta of its own is dead */
#define END_WAIT_MS    2000 /* for pasta, whose interface was deleted */

struct keeper {
    const char *run_root;
    int lock_fd, netns_fd, events_fd, signals_fd;
    int retry_ms;
    int64_t retry_ns; /* not before then */
    bool term;
};

static void say(int r, const struct error *e) {
    char text[512];

    (void)snprintf(text, sizeof(text), "%s%s%s", r < 0 ? (e->text ? e->text : errno_text(r)) : "ok", r < 0 && e->hint ? "\n" : "",
                   r < 0 && e->hint ? e->hint : "");
    (void)send(CONTROL_FD, text, strlen(text), MSG_NOSIGNAL);
}

/* ---- The namespace ---- */

static int bind_namespace(struct keeper *k, struct error *e) {
    char from[32];
    _cleanup_fd_ int fd = -1;
    int r;

    (void)unlinkat(RUN_FD, NETNS_FILE, 0); /* of an earlier one, in a mount namespace that is gone */
    fd = openat(RUN_FD, NETNS_FILE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    (void)snprintf(from, sizeof(from), "/proc/self/fd/%d", k->netns_fd);
    r = fd < 0 || fchdir(RUN_FD) < 0 ? -errno : sys_mount(from, NETNS_FILE, NULL, MS_BIND, NULL);
    if (r < 0)
        return error_errno(e, r, "bind the network namespace at %s/" NETNS_FILE, k->run_root);
    return chdir("/") < 0 ? -errno : 0;
}

/* An earlier keeper's, when it was killed; else a new one. *ret_new: it is not bound yet. */
static int get_namespace(struct keeper *k, bool *ret_new, struct error *e) {
    k->netns_fd = openat(RUN_FD, NETNS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (k->netns_fd >= 0 && !netns_is(k->netns_fd))
        k->netns_fd = fd_close(k->netns_fd);
    *ret_new = k->netns_fd < 0;
    if (*ret_new)
        k->netns_fd = netns_new(true, e);
    if (k->netns_fd < 0)
        return k->netns_fd;
    netns_use(k->netns_fd);
    return netns_catch_mark(MARK_BACK, e);
}

static int watch_links(struct keeper *k, struct error *e) {
    struct sockaddr_nl all = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};

    k->events_fd = netns_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (k->events_fd < 0 || bind(k->events_fd, (struct sockaddr *)&all, sizeof(all)) < 0)
        return error_errno(e, -errno, "watch the namespace's interfaces");
    return 0;
}

static int become_keeper(struct keeper *k, struct error *e) {
    sigset_t signals;

    (void)prctl(PR_SET_NAME, "tare-net keep");
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* pasta goes into the background */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    k->signals_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (k->signals_fd < 0)
        return error_errno(e, -errno, "wait for signals");
    k->lock_fd = openat(RUN_FD, NETNS_KEEPER, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return k->lock_fd < 0 ? error_errno(e, -errno, "open " NETNS_KEEPER) : lock_own(k->lock_fd);
}

static int set_up(struct keeper *k, struct error *e) {
    bool fresh = false;
    int r = get_namespace(k, &fresh, e);

    if (r == 0)
        r = watch_links(k, e);
    if (r == 0 && !uplink_is_up())
        r = uplink_start(k->netns_fd, NULL, e);
    return r == 0 && fresh ? bind_namespace(k, e) : r;
}

/* ---- Its life ---- */

static int is_lease(int dirfd _unused_, const char *name, void *arg _unused_, struct error *e _unused_) {
    return name[0] != '.' ? 1 : 0;
}

static int has_lease(int dirfd, const char *name, void *arg, struct error *e _unused_) {
    return fs_each(dirfd, name, is_lease, arg, NULL) > 0;
}

static bool is_used(void) {
    return fs_each(RUN_FD, "leases", has_lease, NULL, NULL) > 0;
}

/* Nobody has an address, and nobody is about to start a container: that is the end. */
static bool is_over(const struct keeper *k) {
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd;

    if (k->term)
        return true;
    if (is_used())
        return false;
    fd = openat(RUN_FD, NETNS_LOCK, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT; /* the run directory was emptied */
    if (fcntl(fd, F_OFD_SETLK, &l) < 0 || is_used()) {
        fd_close(fd);
        return false;
    }
    return true; /* the lock stays until we are gone */
}

/* Whether interfaces came or went. */
static bool drain(struct keeper *k) {
    struct signalfd_siginfo s;
    char events[8192];
    bool changed = false;

    while (recv(k->events_fd, events, sizeof(events), 0) > 0)
        changed = true;
    while (read(k->signals_fd, &s, sizeof(s)) == sizeof(s))
        k->term |= s.ssi_signo == SIGTERM;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    return changed;
}

/* Somebody has killed pasta: another one, at once a first time, and then more and more slowly. */
static void restore_uplink(struct keeper *k) {
    int64_t now = clock_monotonic_ns();

    if (uplink_is_up())
        k->retry_ms = 0;
    if (uplink_is_up() || now < k->retry_ns)
        return;
    if (uplink_start(k->netns_fd, NULL, NULL) < 0) {
        k->retry_ms = k->retry_ms == 0 ? RETRY_MS : MIN_OF(2 * k->retry_ms, RETRY_MAX_MS);
        k->retry_ns = now + k->retry_ms * INT64_C(1000000);
    }
}

static void live(struct keeper *k) {
    int looks = LOOKS;

    while (!is_over(k)) {
        struct pollfd p[] = {{.fd = k->events_fd, .events = POLLIN}, {.fd = k->signals_fd, .events = POLLIN}};

        restore_uplink(k);
        (void)poll(p, ARRAY_SIZE(p), looks > 0 || !is_used() ? LOOK_MS : uplink_is_up() ? LOOK_LONG_MS : RETRY_MS);
        looks = drain(k) ? LOOKS : looks - (looks > 0);
    }
}

/* pasta ends when its interface goes; it is waited for, so that nothing is left when we are gone. */
static void wait_for_uplink(void) {
    for (int waited = 0; waited < END_WAIT_MS && waitpid(-1, NULL, WNOHANG) >= 0; waited += 5)
        (void)usleep(5000);
}

static void end(struct keeper *k) {
    (void)link_delete(UPLINK, NULL);
    wait_for_uplink();
    (void)umount2("/proc/self/fd/4/" NETNS_FILE, MNT_DETACH);
    (void)unlinkat(RUN_FD, NETNS_FILE, 0);
    (void)unlinkat(RUN_FD, NETNS_KEEPER, 0);
    netns_use(NETNS_OWN);
    k->netns_fd = fd_close(k->netns_fd);
}

int keeper_main(const char *cgroup, const char *run_root) {
    struct keeper k = {.run_root = run_root ? run_root : "", .lock_fd = -1, .netns_fd = -1, .events_fd = -1, .signals_fd = -1};
    _cleanup_error_ struct error e = ERROR_INIT;
    int r;

    (void)own_cgroup_enter(cgroup);
    r = become_keeper(&k, &e);
    if (r == -EAGAIN)
        return 1; /* there is one: without a word, so that our starter looks again */
    if (r == 0)
        r = set_up(&k, &e);
    say(r, &e);
    (void)close(CONTROL_FD);
    if (r == 0)
        live(&k);
    end(&k);
    own_cgroup_leave(cgroup);
    return r < 0;
}

/* ---- One container's own: --network pasta ---- */

#define PASTA_NETNS_FD 4
#define PASTA_RUN_FD   5

static int pasta_up(char *const ports[], struct error *e) {
    int r = uplink_start(PASTA_NETNS_FD, ports, e);

    /* From now on in the container's namespace, so that it can be found by our pid. */
    if (r == 0 && setns(PASTA_NETNS_FD, CLONE_NEWNET) < 0)
        r = error_errno(e, -errno, "enter the network namespace");
    return r;
}

int keeper_pasta(const char *cgroup, char *const ports[]) {
    _cleanup_error_ struct error e = ERROR_INIT;
    struct pollfd p = {.fd = CONTROL_FD, .events = POLLIN};
    int r;

    (void)own_cgroup_enter(cgroup);
    (void)prctl(PR_SET_NAME, "tare-net pasta");
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    r = pasta_up(ports, &e);
    say(r, &e);
    while (r == 0 && poll(&p, 1, -1) <= 0)
        ;
    /* A monitor that ends in order has undone the journal; one that was killed has not, and its container may live on. */
    while (r == 0 && faccessat(PASTA_RUN_FD, "journal", F_OK, 0) == 0)
        (void)usleep(KILLED_LOOK_MS * 1000);
    (void)link_delete(UPLINK, NULL);
    wait_for_uplink();
    own_cgroup_leave(cgroup);
    return r < 0;
}
