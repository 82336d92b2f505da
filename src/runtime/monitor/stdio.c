/* The payload's streams.
 *
 * Without a terminal, stdout and stderr are FIFOs in the run directory. The payload's side is open for reading and writing, so that
 * the pipe has a reader (the payload itself) when the monitor is killed: it gets no SIGPIPE, it waits when the pipe is full, and
 * whoever takes over opens the FIFO by its name. Where the foreground's own stream is a pipe, the opposite is wanted: when its
 * reader goes, the payload must get EPIPE, or `run … | head` never ends; there the payload's side is write-only.
 *
 * With a terminal, the monitor and its keeper (keeper.c) hold the master, so that one of them may be killed. */
#include "runtime/monitor/monitor.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define CHUNK_SIZE     ((size_t)64 << 10)
#define CHUNKS_A_ROUND 8
#define IDLE_KEEP      ((size_t)4096)
#define PIPE_SIZE      (512 << 10)       /* memory is used only while it is full; fewer switches between payload and monitor */
#define DRAIN_MAX      ((size_t)8 << 20) /* at the end, from one stream: more than a pipe holds */
#define FIFO_MODE      0666              /* any user of the container may open /dev/stdout; the directory is closed to others */

static const char *const fifo_names[2] = {"stdout", "stderr"};

/* One reading buffer for all streams: header of the frame, then the data. */
static char room[4096 + CHUNK_SIZE] __attribute__((aligned(4096)));
static size_t room_used;

void stdio_idle(void) {
    if (room_used > IDLE_KEEP)
        (void)madvise(room + IDLE_KEEP, sizeof(room) - IDLE_KEEP, MADV_DONTNEED);
    room_used = 0;
}

static void end_output(struct monitor *m, struct output *o) {
    loop_remove(m, &o->source);
}

/* One chunk: to the log, to the clients. Returns what was read, 0 at the end or when there is nothing now. */
static size_t pump(struct monitor *m, struct output *o) {
    ssize_t n = read(o->source.fd, room + FRAME_HEADER_SIZE, CHUNK_SIZE);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) { /* 0: all writers are gone; EIO: the terminal's other side is */
        end_output(m, o);
        return 0;
    }
    if ((size_t)n > IDLE_KEEP / 2) {
        room_used = MAX_OF(room_used, (size_t)n + FRAME_HEADER_SIZE);
        m->wants_idle = true;
    }
    log_write(m->log, o->stream, room + FRAME_HEADER_SIZE, (size_t)n);
    client_deliver(m, o->stream, room, (size_t)n);
    return (size_t)n;
}

static void watch_outputs(struct monitor *m) {
    for (int i = 0; i < 2; i++)
        loop_change(m, &m->outputs[i].source, m->outputs[i].paused || m->log_room.fd >= 0 ? 0 : EPOLLIN);
}

static void wait_for_log(struct monitor *m);

static void log_room_ready(struct monitor *m, struct source *s, uint32_t events) {
    log_go_on(m->log);
    if (log_is_stalled(m->log) && (events & (EPOLLERR | EPOLLHUP)) == 0)
        return;
    loop_remove(m, s);
    if (log_is_stalled(m->log)) /* another process has it now */
        wait_for_log(m);
    watch_outputs(m);
}

/* The container waits for its log: nothing is read until there is room. */
static void wait_for_log(struct monitor *m) {
    if (m->log_room.fd >= 0 || !log_is_stalled(m->log))
        return;
    m->log_room = (struct source){.fd = fcntl(log_process_socket(m->log), F_DUPFD_CLOEXEC, 0), .ready = log_room_ready};
    if (m->log_room.fd >= 0 && loop_add(m, &m->log_room, EPOLLOUT) < 0)
        m->log_room.fd = fd_close(m->log_room.fd);
    watch_outputs(m);
}

/* Several chunks at a time while there is much; a short one means that the pipe was empty then. */
static void output_ready(struct monitor *m, struct source *s, uint32_t events) {
    struct output *o = (struct output *)s;

    (void)events;
    if (o->paused || m->log_room.fd >= 0) { /* nothing was asked for: all writers are gone, which epoll says again and again */
        loop_rest(m, s);
        return;
    }
    for (int i = 0; i < CHUNKS_A_ROUND && o->source.fd >= 0 && !o->paused && !log_is_stalled(m->log); i++)
        if (pump(m, o) < CHUNK_SIZE)
            break;
    log_flush(m->log);
    wait_for_log(m);
}

static int make_fifo(struct monitor *m, int i, bool breaks, int *ret_child, struct error *e) {
    struct output *o = &m->outputs[i];
    _cleanup_fd_ int child = -1;
    int pair[2];

    if (breaks) {
        if (pipe2(pair, O_CLOEXEC) < 0)
            return error_errno(e, -errno, "make a pipe for %s", fifo_names[i]);
        o->source.fd = pair[0];
        child = pair[1];
        (void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
        (void)fchmod(pair[1], FIFO_MODE);
    } else {
        if (mknodat(m->l.run_dirfd, fifo_names[i], S_IFIFO | FIFO_MODE, 0) < 0 && errno != EEXIST)
            return error_errno(e, -errno, "make the FIFO %s", fifo_names[i]);
        o->source.fd = openat(m->l.run_dirfd, fifo_names[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
        child = openat(m->l.run_dirfd, fifo_names[i], O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (o->source.fd < 0 || child < 0)
            return error_errno(e, -errno, "open the FIFO %s", fifo_names[i]);
    }
    (void)fcntl(o->source.fd, F_SETPIPE_SZ, PIPE_SIZE); /* an unprivileged user may have used up his share: then as it is */
    *ret_child = TAKE_FD(child);
    return 0;
}

/* An exec'ed command has no directory of its own and ends with its worker's loss: plain pipes. */
static int make_input(struct monitor *m, int *ret_child, struct error *e) {
    int pair[2];

    if (!m->l.open_stdin) {
        *ret_child = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return *ret_child < 0 ? error_errno(e, -errno, "open /dev/null") : 0;
    }
    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(e, -errno, "make a pipe for stdin");
    (void)fcntl(pair[1], F_SETFL, O_NONBLOCK);
    (void)fchmod(pair[0], FIFO_MODE);
    m->input.fd = pair[1];
    *ret_child = pair[0];
    return 0;
}

static void input_ready(struct monitor *m, struct source *s, uint32_t events);

int stdio_make(struct monitor *m, struct stdio_child *ret, struct error *e) {
    mode_t saved;
    int r;

    *ret = (struct stdio_child){.in = -1, .out = -1, .err = -1};
    m->input.ready = input_ready;
    for (int i = 0; i < 2; i++)
        m->outputs[i] = (struct output){.source = {.fd = -1, .ready = output_ready}, .stream = i + 1};
    if (m->l.tty)
        return 0;
    saved = umask(0);
    r = make_input(m, &ret->in, e);
    if (r == 0)
        r = make_fifo(m, 0, m->is_exec || m->l.break_stdout, &ret->out, e);
    if (r == 0)
        r = make_fifo(m, 1, m->is_exec || m->l.break_stderr, &ret->err, e);
    (void)umask(saved);
    return r;
}

int stdio_reopen(struct monitor *m) {
    m->input.ready = input_ready;
    for (int i = 0; i < 2; i++) {
        m->outputs[i] = (struct output){.source = {.fd = -1, .ready = output_ready}, .stream = i + 1};
        m->outputs[i].source.fd = openat(m->l.run_dirfd, fifo_names[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
        if (m->outputs[i].source.fd < 0 && errno != ENOENT) /* ENOENT: pipes of a foreground, whose payload got EPIPE */
            return -errno;
    }
    return 0;
}

int stdio_take_terminal(struct monitor *m, int console_fd, struct error *e) {
    _cleanup_fd_ int master = console_fd;

    if (fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
        return error_errno(e, -errno, "set up the terminal");
    m->slave_fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    m->input.fd = fcntl(master, F_DUPFD_CLOEXEC, 0);
    if (m->input.fd < 0)
        return error_errno(e, -errno, "set up the terminal");
    m->outputs[0].source.fd = TAKE_FD(master);
    return 0;
}

int stdio_watch(struct monitor *m) {
    for (int i = 0; i < 2; i++) {
        struct output *o = &m->outputs[i];
        int r = o->source.fd < 0 ? 0 : loop_add(m, &o->source, EPOLLIN);

        if (r < 0)
            return r;
    }
    return m->input.fd < 0 ? 0 : loop_add(m, &m->input, 0);
}

void stdio_drain(struct monitor *m) {
    for (int i = 0; i < 2; i++)
        for (size_t total = 0; m->outputs[i].source.fd >= 0 && total < DRAIN_MAX;) {
            size_t n = pump(m, &m->outputs[i]);

            if (n == 0)
                break;
            total += n;
        }
    log_flush(m->log);
}

void stdio_close(struct monitor *m) {
    for (int i = 0; i < 2; i++)
        end_output(m, &m->outputs[i]);
    loop_remove(m, &m->log_room);
    loop_remove(m, &m->input);
    m->slave_fd = fd_close(m->slave_fd);
    if (m->input_from)
        client_stdin_taken(m, m->input_from, m->input_pending.size);
    m->input_from = NULL;
    m->input_eof = false;
    buf_release(&m->input_pending);
}

void stdio_pause(struct monitor *m, bool pause) {
    for (int i = 0; i < 2; i++)
        m->outputs[i].paused = pause;
    watch_outputs(m);
}

void stdio_break(struct monitor *m, int stream) {
    bool breaks = stream == 1 ? m->l.break_stdout : stream == 2 && m->l.break_stderr;

    if (breaks || m->is_exec)
        end_output(m, &m->outputs[stream - 1]);
}

void stdio_resize(struct monitor *m, uint32_t rows, uint32_t cols) {
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};

    if (m->l.tty && m->outputs[0].source.fd >= 0 && rows && cols)
        (void)ioctl(m->outputs[0].source.fd, TIOCSWINSZ, &size);
}

/* Writes what is pending; watches for room while some is left. */
static void push_input(struct monitor *m) {
    while (m->input.fd >= 0 && m->input_pending.size) {
        ssize_t n = write(m->input.fd, m->input_pending.data, m->input_pending.size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            loop_remove(m, &m->input); /* the payload closed its stdin */
            break;
        }
        if (n < 0)
            break;
        if (m->input_from)
            client_stdin_taken(m, m->input_from, (size_t)n);
        buf_consume(&m->input_pending, (size_t)n);
    }
    if (m->input.fd < 0 && m->input_pending.size) { /* nobody will read it: taken, so that the client goes on */
        if (m->input_from)
            client_stdin_taken(m, m->input_from, m->input_pending.size);
        buf_clear(&m->input_pending);
    }
    if (m->input_pending.size == 0) {
        buf_release(&m->input_pending);
        m->input_from = NULL;
        if (m->input_eof && m->input.fd >= 0)
            loop_remove(m, &m->input);
    }
    loop_change(m, &m->input, m->input_pending.size ? EPOLLOUT : 0);
}

static void input_ready(struct monitor *m, struct source *s, uint32_t events) {
    if ((events & (EPOLLERR | EPOLLHUP)) && !m->l.tty) {
        loop_remove(m, s); /* the last reader of stdin is gone */
        push_input(m);
        return;
    }
    if ((events & (EPOLLERR | EPOLLHUP)) && !(events & EPOLLOUT)) {
        loop_remove(m, s);
        return;
    }
    push_input(m);
}

void stdio_input(struct monitor *m, struct client *c, const void *p, size_t n) {
    if (m->input.fd < 0 || (m->input_from && m->input_from != c && m->input_pending.size > FRAME_STDIN_WINDOW)) {
        client_stdin_taken(m, c, n);
        return;
    }
    if (m->input_from && m->input_from != c) /* two writers: what is pending of the first counts as taken */
        client_stdin_taken(m, m->input_from, m->input_from->stdin_held);
    m->input_from = c;
    buf_add(&m->input_pending, p, n);
    push_input(m);
}

void stdio_input_eof(struct monitor *m, struct client *c) {
    if (m->l.tty || !(m->l.stdin_once || m->is_exec) || (m->input_from && m->input_from != c))
        return;
    m->input_eof = true;
    push_input(m);
}
