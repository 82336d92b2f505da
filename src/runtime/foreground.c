/* The loop in the foreground of run, start -a, attach and exec: our streams on one side, the monitor's connection on the other.
 *
 * Output is never written in a way that waits (signals must get through while a pager holds the pipe), except to terminals and
 * files, which take it. While our output has no room we do not read the connection: that is the back-pressure. */
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <termios.h>

#include "runtime/detach_keys.h"
#include "runtime/frame.h"
#include "runtime/monitor_client.h"

#define READ_SIZE   ((size_t)128 << 10)
#define STDIN_CHUNK ((size_t)16 << 10)
#define PIPE_PIECE  ((size_t)4096) /* PIPE_BUF: what a pipe that polls writable takes at once */

enum writer_kind { WRITE_PLAIN, WRITE_PIPE_NOWAIT, WRITE_PIPE_POLLED, WRITE_SOCKET };

struct out_stream {
    int fd;
    enum writer_kind kind;
    bool broken; /* its reader is gone */
};

struct foreground {
    struct monitor_conn *conn;
    const struct foreground_options *o;
    struct foreground_result result;
    struct detach_keys keys;
    struct out_stream out[2]; /* stdout, stderr */
    struct buf in;            /* from the connection */
    size_t used;              /* of `in`, handled */
    uint32_t frame_done;      /* of the output frame at in.data + used, already written */
    int waiting;              /* output that has no room now: 0, 1; -1 = none */
    size_t window;            /* bytes of stdin that may still be sent */
    bool stdin_open;
    bool over;
    int signal_fd;
    sigset_t watched, saved_mask;
    bool raw;
    struct termios saved_termios;
    int fatal_signal; /* without sig_proxy: to be raised again once the terminal is restored */
};

/* ---- terminal ---- */

int terminal_size(int fd, uint32_t *ret_rows, uint32_t *ret_cols) {
    struct winsize size;

    if (ioctl(fd, TIOCGWINSZ, &size) < 0)
        return -errno;
    *ret_rows = size.ws_row;
    *ret_cols = size.ws_col;
    return 0;
}

static void terminal_raw(struct foreground *f) {
    struct termios t;

    if (!f->o->tty || !f->o->in || !isatty(f->o->stdin_fd))
        return;
    if (!f->raw && tcgetattr(f->o->stdin_fd, &f->saved_termios) < 0)
        return;
    f->raw = true;
    t = f->saved_termios;
    cfmakeraw(&t);
    (void)tcsetattr(f->o->stdin_fd, TCSADRAIN, &t);
}

static void terminal_restore(struct foreground *f) {
    sigset_t ttou, before;

    if (!f->raw)
        return;
    /* From the background, tcsetattr stops its caller by SIGTTOU, unless that is blocked. */
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    (void)sigprocmask(SIG_BLOCK, &ttou, &before);
    (void)tcsetattr(f->o->stdin_fd, TCSADRAIN, &f->saved_termios);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    f->raw = false;
}

/* ---- towards the monitor ---- */

static int send_u32s(struct foreground *f, uint8_t type, const uint32_t *v, size_t n) {
    _cleanup_buf_ struct buf b = BUF_INIT;

    frame_add_u32s(&b, type, v, n);
    return frame_send(f->conn->fd, &b, NULL, 0);
}

static void send_size(struct foreground *f) {
    uint32_t v[2];

    if (f->o->tty && (terminal_size(f->o->stdout_fd, &v[0], &v[1]) == 0 || terminal_size(f->o->stdin_fd, &v[0], &v[1]) == 0))
        (void)send_u32s(f, FRAME_RESIZE, v, 2);
}

static void read_stdin(struct foreground *f) {
    unsigned char typed[STDIN_CHUNK], passed[STDIN_CHUNK + DETACH_KEYS_MAX];
    _cleanup_buf_ struct buf b = BUF_INIT;
    ssize_t n = read(f->o->stdin_fd, typed, MIN_OF(sizeof(typed), f->window - DETACH_KEYS_MAX));
    size_t pass;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        f->stdin_open = false;
        (void)send_u32s(f, FRAME_STDIN_EOF, NULL, 0);
        return;
    }
    if (!f->o->tty) {
        f->window -= (size_t)n;
        frame_add(&b, FRAME_STDIN, typed, (size_t)n);
    } else {
        f->result.detached = detach_keys_filter(&f->keys, typed, (size_t)n, passed, &pass);
        f->over = f->result.detached;
        f->window -= pass;
        if (pass)
            frame_add(&b, FRAME_STDIN, passed, pass);
    }
    if (b.size && frame_send(f->conn->fd, &b, NULL, 0) < 0)
        f->stdin_open = false; /* the connection's end is seen where it is read */
}

/* ---- our own output ---- */

static enum writer_kind kind_of(int fd) {
    struct stat st;

    if (fstat(fd, &st) < 0)
        return WRITE_PLAIN;
    return S_ISFIFO(st.st_mode) ? WRITE_PIPE_NOWAIT : S_ISSOCK(st.st_mode) ? WRITE_SOCKET : WRITE_PLAIN;
}

/* Like write(2), but -EAGAIN instead of waiting where the kind allows to know. The descriptor is shared with the caller's shell, so
 * O_NONBLOCK must not be set on it. */
static ssize_t write_some(struct out_stream *s, const void *p, size_t n) {
    struct iovec v = {.iov_base = (void *)(uintptr_t)p, .iov_len = n};
    struct pollfd room = {.fd = s->fd, .events = POLLOUT};
    ssize_t r = -1;

    switch (s->kind) {
    case WRITE_PIPE_NOWAIT:
        r = syscall(SYS_pwritev2, s->fd, &v, 1L, -1L, -1L, RWF_NOWAIT);
        if (r >= 0 || (errno != EOPNOTSUPP && errno != EINVAL))
            return r < 0 ? -errno : r;
        s->kind = WRITE_PIPE_POLLED; /* before Linux 6.4 */
        return write_some(s, p, n);
    case WRITE_PIPE_POLLED:
        if (poll(&room, 1, 0) == 0)
            return -EAGAIN;
        r = write(s->fd, p, MIN_OF(n, PIPE_PIECE));
        break;
    case WRITE_SOCKET: r = send(s->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL); break;
    case WRITE_PLAIN: r = write(s->fd, p, n); break;
    }
    return r < 0 ? -errno : r;
}

static void stream_broke(struct foreground *f, int i) {
    const uint32_t stream = (uint32_t)i + 1;

    f->out[i].broken = true;
    (void)send_u32s(f, FRAME_BROKEN, &stream, 1);
    /* Who only looks on goes away with his reader; who runs the container waits for its end, as a pipeline does. */
    if (!f->conn->primary)
        f->over = f->result.detached = true;
}

/* Writes an output frame on from where it stands. true when it is done. */
static bool write_output(struct foreground *f, const struct frame *frame) {
    struct out_stream *s = &f->out[frame->type - FRAME_STDOUT];

    while (!s->broken && f->frame_done < frame->size) {
        ssize_t n = write_some(s, frame->data + f->frame_done, frame->size - f->frame_done);

        if (n == -EINTR)
            continue;
        if (n == -EAGAIN) {
            f->waiting = frame->type - FRAME_STDOUT;
            return false;
        }
        if (n < 0)
            stream_broke(f, frame->type - FRAME_STDOUT);
        else
            f->frame_done += (uint32_t)n;
    }
    f->frame_done = 0;
    return true;
}

/* ---- from the monitor ---- */

static void on_exit_frame(struct foreground *f, const struct frame *frame) {
    uint32_t flags = frame_u32(frame, 1, 0);

    f->result.exit_code = (int)frame_u32(frame, 0, EXIT_ENGINE);
    f->result.oom_killed = flags & FRAME_EXIT_OOM;
    f->over = true;
}

static void on_dropped(struct foreground *f, const struct frame *frame) {
    char text[128];
    int n = snprintf(text, sizeof(text), "\r\ntare: %u bytes of output were not shown: they came faster than they were taken\r\n",
                     frame_u32(frame, 0, 0));

    (void)!write(f->o->stderr_fd, text, (size_t)n);
}

/* Handles the frames that are there. Negative: no protocol. */
static int handle_frames(struct foreground *f) {
    while (!f->over) {
        struct frame frame;
        ssize_t n = frame_parse(f->in.data + f->used, f->in.size - f->used, &frame);

        if (n <= 0) {
            buf_consume(&f->in, f->used);
            f->used = 0;
            return (int)n;
        }
        switch (frame.type) {
        case FRAME_STDOUT:
        case FRAME_STDERR:
            if (!write_output(f, &frame))
                return 0;
            break;
        case FRAME_STDIN_ACK: f->window += frame_u32(&frame, 0, 0); break;
        case FRAME_DROPPED: on_dropped(f, &frame); break;
        case FRAME_EXIT: on_exit_frame(f, &frame); break;
        default: break; /* of a newer monitor */
        }
        f->used += (size_t)n;
    }
    return 0;
}

static int read_connection(struct foreground *f) {
    ssize_t n;

    if (!buf_reserve(&f->in, READ_SIZE))
        return -ENOMEM;
    n = recv(f->conn->fd, f->in.data + f->in.size, f->in.room - f->in.size - 1, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        f->result.lost = f->over = true;
        f->result.exit_code = EXIT_ENGINE;
        return 0;
    }
    f->in.size += (size_t)n;
    return handle_frames(f);
}

/* ---- signals ---- */

/* What is not handed on: what the kernel raises for our own faults, what job control needs, and our children's ends. */
static bool is_own(int signo) {
    static const int own[] = {SIGKILL, SIGSTOP, SIGCHLD, SIGURG, SIGPIPE, SIGWINCH, SIGTTIN, SIGTTOU,
                              SIGSEGV, SIGBUS,  SIGFPE,  SIGILL, SIGTRAP, SIGABRT,  SIGSYS};

    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        if (own[i] == signo)
            return true;
    return signo == 32 || signo == 33; /* glibc's own */
}

static int signals_begin(struct foreground *f) {
    static const int ends_us[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigset_t blocked;

    sigemptyset(&f->watched);
    sigaddset(&f->watched, SIGWINCH);
    sigaddset(&f->watched, SIGCONT);
    if (f->o->sig_proxy)
        for (int signo = 1; signo <= SIGRTMAX; signo++) {
            if (!is_own(signo))
                sigaddset(&f->watched, signo);
        }
    else
        for (size_t i = 0; i < ARRAY_SIZE(ends_us); i++)
            sigaddset(&f->watched, ends_us[i]);
    blocked = f->watched;
    sigaddset(&blocked, SIGPIPE);
    (void)sigprocmask(SIG_BLOCK, &blocked, &f->saved_mask);
    f->signal_fd = signalfd(-1, &f->watched, SFD_CLOEXEC | SFD_NONBLOCK);
    return f->signal_fd < 0 ? -errno : 0;
}

static void signals_end(struct foreground *f) {
    const struct timespec now = {0};
    sigset_t pipe_only;

    f->signal_fd = fd_close(f->signal_fd);
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    (void)sigtimedwait(&pipe_only, NULL, &now); /* of a write that already answered EPIPE */
    (void)sigprocmask(SIG_SETMASK, &f->saved_mask, NULL);
}

static void read_signals(struct foreground *f) {
    struct signalfd_siginfo info;

    while (read(f->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        const uint32_t signo = info.ssi_signo;

        if (signo == SIGWINCH) {
            send_size(f);
            continue;
        }
        if (signo == SIGCONT && f->raw) { /* the shell used the terminal meanwhile */
            terminal_raw(f);
            send_size(f);
        }
        if (f->o->sig_proxy) {
            (void)send_u32s(f, FRAME_SIGNAL, &signo, 1);
        } else if (signo != SIGCONT) {
            f->fatal_signal = (int)signo;
            f->over = true;
        }
    }
}

/* ---- the loop ---- */

static int loop(struct foreground *f) {
    enum { SOCKET, SIGNALS, STDIN, ROOM, POLLED };
    int r = 0;

    while (!f->over && r >= 0) {
        bool take_input = f->stdin_open && f->window > 2 * (size_t)DETACH_KEYS_MAX;
        struct pollfd p[POLLED] = {
            [SOCKET] = {.fd = f->waiting < 0 ? f->conn->fd : -1, .events = POLLIN},
            [SIGNALS] = {.fd = f->signal_fd, .events = POLLIN},
            [STDIN] = {.fd = take_input ? f->o->stdin_fd : -1, .events = POLLIN},
            [ROOM] = {.fd = f->waiting >= 0 ? f->out[f->waiting].fd : -1, .events = POLLOUT},
        };

        if (poll(p, POLLED, -1) < 0) {
            if (errno != EINTR)
                return -errno;
            continue;
        }
        if (p[SIGNALS].revents)
            read_signals(f);
        if (p[STDIN].revents && !f->over)
            read_stdin(f);
        if (p[ROOM].revents) {
            f->waiting = -1;
            r = handle_frames(f);
        }
        if (p[SOCKET].revents && !f->over)
            r = read_connection(f);
    }
    return r;
}

int monitor_foreground(struct monitor_conn *c, const struct foreground_options *o, struct foreground_result *ret, struct error *e) {
    struct foreground f = {.conn = c, .o = o, .waiting = -1, .window = FRAME_STDIN_WINDOW, .stdin_open = o->in, .signal_fd = -1};
    int r = detach_keys_parse(o->detach_keys, &f.keys, e);

    if (r < 0)
        return r;
    f.in.max = 2 * (size_t)FRAME_PAYLOAD_MAX;
    for (int i = 0; i < 2; i++) {
        f.out[i].fd = i == 0 ? o->stdout_fd : o->stderr_fd;
        f.out[i].kind = kind_of(f.out[i].fd);
        f.out[i].broken = i == 0 ? !o->out : !o->err;
    }
    r = signals_begin(&f);
    if (r == 0) {
        terminal_raw(&f);
        send_size(&f);
        r = loop(&f);
        terminal_restore(&f);
    }
    signals_end(&f);
    buf_release(&f.in);
    if (f.fatal_signal)
        (void)raise(f.fatal_signal); /* ends us as it would have without the terminal to restore */
    if (r < 0)
        return error_errno(e, r, "carry the container's streams");
    *ret = f.result;
    return 0;
}
