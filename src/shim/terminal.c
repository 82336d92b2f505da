/* Copies between a pseudo-terminal and containerd's FIFOs, with no more memory than one page on the stack: what comes from the
 * terminal is read only when the FIFO has room for a page (PIPE_BUF: then it takes it whole). */
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "shim/shim.h"

#define TYPED_MAX  512 /* of what is typed, held while the terminal does not take it */
#define ROUNDS_MAX 16  /* pages in one go: the loop has others, too */

struct end {
    struct watch watch;
    struct terminal *of;
};
struct terminal {
    struct stdio *io;
    struct end console, out, in; /* the descriptors of out and in belong to io */
    bool blocked;                /* the console is not read: the FIFO is full */
    size_t typed_at, typed_n;
    char typed[TYPED_MAX];
};

/* -EIO: nobody holds the other side any more. */
static int copy_out(struct terminal *t) {
    char page[PIPE_BUF];

    for (int i = 0; i < ROUNDS_MAX; i++) {
        struct pollfd p = {.fd = t->out.watch.fd, .events = POLLOUT};
        ssize_t n;

        if (p.fd >= 0 && (poll(&p, 1, 0) != 1 || !(p.revents & (POLLOUT | POLLERR))))
            return -ENOBUFS;
        n = read(t->console.watch.fd, page, sizeof(page));
        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -EIO;
        if (p.fd >= 0 && write(p.fd, page, (size_t)n) < 0) {
        } /* a log program that died: the container goes on */
    }
    return 0;
}

static void console_events(struct shim *s, struct terminal *t) {
    uint32_t events = (t->blocked ? 0 : EPOLLIN) | (t->typed_n > 0 ? EPOLLOUT : 0);

    if (events == 0) { /* EPOLLHUP is reported always, and would spin */
        (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, t->console.watch.fd, NULL);
    } else if (watch_add(s, &t->console.watch, events) == -EEXIST) {
        watch_change(s, &t->console.watch, events);
    }
}

static void move_out(struct shim *s, struct terminal *t) {
    int r = copy_out(t);

    if (r == -EIO) {
        struct stdio *io = t->io;

        terminal_end(s, io);
        stdio_end(s, io);
        return;
    }
    if (t->blocked != (r == -ENOBUFS)) {
        t->blocked = r == -ENOBUFS;
        if (t->blocked)
            (void)watch_add(s, &t->out.watch, EPOLLOUT);
        else
            (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, t->out.watch.fd, NULL);
        console_events(s, t);
    }
}

static void out_ready(struct shim *s, struct watch *w, uint32_t events) {
    (void)events;
    move_out(s, ((struct end *)w)->of);
}

static void type_on(struct shim *s, struct terminal *t) {
    bool waited = t->typed_n > 0;

    for (;;) {
        ssize_t n;

        if (t->typed_n == 0) {
            n = read(t->in.watch.fd, t->typed, sizeof(t->typed));
            if (n <= 0)
                break;
            t->typed_at = 0;
            t->typed_n = (size_t)n;
        }
        n = write(t->console.watch.fd, t->typed + t->typed_at, t->typed_n);
        if (n <= 0)
            break;
        t->typed_at += (size_t)n;
        t->typed_n -= (size_t)n;
    }
    if (waited != (t->typed_n > 0)) {
        watch_change(s, &t->in.watch, t->typed_n > 0 ? 0 : EPOLLIN);
        console_events(s, t);
    }
}

static void in_ready(struct shim *s, struct watch *w, uint32_t events) {
    (void)events;
    type_on(s, ((struct end *)w)->of);
}

static void console_ready(struct shim *s, struct watch *w, uint32_t events) {
    struct terminal *t = ((struct end *)w)->of;

    if (events & EPOLLOUT)
        type_on(s, t);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        move_out(s, t);
}

int terminal_begin(struct shim *s, struct stdio *io, int console_fd) {
    struct terminal *t = calloc(1, sizeof(*t));
    int on = 1, r;

    if (!t || ioctl(console_fd, FIONBIO, &on) < 0) {
        free(t);
        fd_close(console_fd);
        return -ENOMEM;
    }
    t->io = io;
    t->console = (struct end){{console_fd, console_ready}, t};
    t->out = (struct end){{io->fd[STREAM_OUT], out_ready}, t};
    t->in = (struct end){{io->fd[STREAM_IN], in_ready}, t};
    io->console = t;
    r = watch_add(s, &t->console.watch, EPOLLIN);
    if (r == 0 && t->in.watch.fd >= 0)
        r = watch_add(s, &t->in.watch, EPOLLIN);
    return r;
}

int terminal_resize(const struct stdio *io, unsigned width, unsigned height) {
    struct winsize size = {.ws_col = (unsigned short)width, .ws_row = (unsigned short)height};

    if (!io->console)
        return -ENOTTY;
    return ioctl(io->console->console.watch.fd, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

void terminal_end(struct shim *s, struct stdio *io) {
    struct terminal *t = TAKE_PTR(io->console);

    (void)copy_out(t);
    watch_remove(s, &t->console.watch);
    for (int i = 0; i < 2; i++) { /* not closed here */
        int fd = i == 0 ? t->in.watch.fd : t->out.watch.fd;

        if (fd >= 0)
            (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    }
    free(t);
}
