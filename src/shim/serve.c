/* The loop. */
#include <link.h>
#include <malloc.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "runtime/monitor_client.h"
#include "shim/shim.h"

#define TICK_MS       1000
#define PAGE_SIZE     4096
#define IDLE_SECONDS  20 /* without containers and connections: containerd died between starting the shim and using it */
#define LEAVE_SECONDS 5  /* for the last events */

int watch_add(struct shim *s, struct watch *w, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = w};

    return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, w->fd, &event) < 0 ? -errno : 0;
}

void watch_change(struct shim *s, struct watch *w, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = w};

    (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, w->fd, &event);
}

void watch_remove(struct shim *s, struct watch *w) {
    if (w->fd >= 0)
        (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    w->fd = fd_close(w->fd);
}

static void signals_ready(struct shim *s, struct watch *w, uint32_t events) {
    struct signalfd_siginfo info;

    (void)events;
    while (read(w->fd, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_signo != SIGCHLD) /* a shim that goes leaves its containers unwatched: only containerd decides that */
            s->leaving |= s->containers == NULL;
    processes_reap(s);
}

static int begin(struct shim *s, struct error *e) {
    sigset_t set;
    int r = monitor_keep_program(e); /* a pod lives through upgrades: its plans are for the monitor of this version */

    if (r < 0)
        return r;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    (void)signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return error_errno(e, -errno, "become the containers' parent");
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->publisher.watch.fd = -1;
    s->publisher.last = &s->publisher.first;
    s->publisher.stream = 1;
    s->listener = (struct watch){.fd = SHIM_LISTEN_FD, .ready = connections_accept};
    s->signals = (struct watch){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .ready = signals_ready};
    if (s->epoll_fd < 0 || s->signals.fd < 0 || watch_add(s, &s->listener, EPOLLIN) < 0 || watch_add(s, &s->signals, EPOLLIN) < 0)
        return error_errno(e, -errno, "make the loop");
    return 0;
}

static void remove_socket(int fd) {
    struct sockaddr_un at = {0};
    socklen_t n = sizeof(at) - 1;

    if (getsockname(fd, (struct sockaddr *)&at, &n) == 0 && at.sun_path[0] == '/')
        (void)unlink(at.sun_path);
}

static bool is_done(const struct shim *s, int64_t quiet_since_ns) {
    const int64_t quiet = (clock_monotonic_ns() - quiet_since_ns) / NS_PER_SEC;

    if (s->containers || s->jobs)
        return false;
    if (s->leaving)
        return !s->publisher.first || quiet >= LEAVE_SECONDS;
    return !s->connections && quiet >= IDLE_SECONDS;
}

static int give_back(struct dl_phdr_info *program, size_t size, void *arg) {
    (void)size;
    (void)arg;
    for (int i = 0; i < program->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &program->dlpi_phdr[i];
        uintptr_t from = (program->dlpi_addr + h->p_vaddr) & ~(uintptr_t)(PAGE_SIZE - 1);

        if (h->p_type == PT_LOAD && !(h->p_flags & PF_W))
            (void)madvise((void *)from, program->dlpi_addr + h->p_vaddr + h->p_memsz - from, MADV_DONTNEED);
    }
    return 0;
}

/* A shim sleeps for days between two short calls: it keeps neither free memory nor the pages of its program, of which the kernel
 * maps sixteen for each that is used. They come back from the page cache when they are wanted. */
static void give_memory_back(void) {
#ifdef __GLIBC__ /* musl gives back what it can by itself */
    (void)malloc_trim(0);
#endif
    (void)dl_iterate_phdr(give_back, NULL);
}

int serve(struct shim *s, struct error *e) {
    int64_t quiet_since = clock_monotonic_ns();
    bool rested = false;
    int r = begin(s, e);

    while (r == 0 && !is_done(s, quiet_since)) {
        const bool awake = !rested || s->leaving || s->publisher.first || (!s->containers && !s->connections);
        struct epoll_event event;
        /* One at a time: what is done for one may free the next one's owner. */
        int n = epoll_wait(s->epoll_fd, &event, 1, awake ? TICK_MS : -1);

        if (n == 0 && !rested) {
            give_memory_back();
            rested = true;
        } else if (n > 0) {
            struct watch *w = event.data.ptr;

            rested = false;
            if (!s->leaving)
                quiet_since = clock_monotonic_ns();
            w->ready(s, w, event.events);
        }
        events_tick(s);
    }
    remove_socket(SHIM_LISTEN_FD);
    return r;
}
