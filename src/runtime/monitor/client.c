/* Clients: who is connected, what they may ask, and what they get. A client that does not take its output is never waited for,
 * except the foreground, whose back-pressure is wanted. */
#include "runtime/monitor/monitor.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/clock.h"

#define CLIENTS_MAX      256
#define CLIENT_OUT_MAX   ((size_t)1 << 20)   /* of an attached client that is not the foreground */
#define PRIMARY_PAUSE    ((size_t)128 << 10) /* the foreground has this much to take: stop reading the payload */
#define PRIMARY_GO_ON    ((size_t)32 << 10)
#define CLIENT_FRAME_MAX (FRAME_STDIN_WINDOW + 1024)
#define LINGER_NS        (2 * NS_PER_SEC)

static void client_ready(struct monitor *m, struct source *s, uint32_t events);
static bool client_read(struct monitor *m, struct client *c);
static void client_flush(struct monitor *m, struct client *c);

struct client *client_new(struct monitor *m, int fd) {
    struct client *c = calloc(1, sizeof(*c));

    if (!c) {
        fd_close(fd);
        return NULL;
    }
    c->source = (struct source){.fd = fd, .ready = client_ready};
    c->next = m->clients;
    m->clients = c;
    if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0 || loop_add(m, &c->source, EPOLLIN) < 0)
        c->dead = m->client_died = true;
    return c;
}

static void client_dies(struct monitor *m, struct client *c) {
    c->dead = m->client_died = true;
}

/* ---- listening ---- */

static bool may_speak(int fd) {
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

static void listener_ready(struct monitor *m, struct source *s, uint32_t events) {
    int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    size_t n = 0;

    (void)events;
    if (fd < 0)
        return;
    for (const struct client *c = m->clients; c; c = c->next)
        n++;
    if (n >= CLIENTS_MAX || !may_speak(fd)) {
        fd_close(fd);
        return;
    }
    (void)client_new(m, fd);
}

/* The address goes by way of the directory's descriptor: sun_path ends at 108 bytes. */
int clients_listen(struct monitor *m, struct error *e) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t saved;
    int r;

    if (fd < 0)
        return error_errno(e, -errno, "make the container's socket");
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" STATE_SOCKET_FILE, m->l.run_dirfd);
    saved = umask(0177);
    r = bind(fd, (const struct sockaddr *)&address, sizeof(address));
    if (r < 0 && errno == EADDRINUSE) { /* of a monitor that was killed: we hold the lock, so it is nobody's */
        (void)unlinkat(m->l.run_dirfd, STATE_SOCKET_FILE, 0);
        r = bind(fd, (const struct sockaddr *)&address, sizeof(address));
    }
    (void)umask(saved);
    if (r < 0 || listen(fd, 64) < 0)
        return error_errno(e, -errno, "listen on the container's socket");
    m->listener = (struct source){.fd = TAKE_FD(fd), .ready = listener_ready};
    r = loop_add(m, &m->listener, EPOLLIN);
    return r < 0 ? error_errno(e, r, "listen on the container's socket") : 0;
}

/* ---- output ---- */

static void watch(struct monitor *m, struct client *c) {
    loop_change(m, &c->source, EPOLLIN | (c->out.size ? EPOLLOUT : 0));
}

/* May the payload be read on? */
static void balance(struct monitor *m) {
    bool full = false, paused = m->outputs[0].paused || m->outputs[1].paused;

    for (const struct client *c = m->clients; c; c = c->next)
        full = full || (c->primary && !c->dead && c->out.size > (paused ? PRIMARY_GO_ON : PRIMARY_PAUSE));
    stdio_pause(m, full);
}

/* Sends at once what can be sent, keeps the rest. */
static void send_or_keep(struct monitor *m, struct client *c, const void *p, size_t n) {
    ssize_t sent = 0;

    if (c->dead)
        return;
    if (c->out.size == 0)
        sent = send(c->source.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        client_dies(m, c);
        return;
    }
    sent = MAX_OF(sent, 0);
    if ((size_t)sent == n)
        return;
    buf_add(&c->out, (const char *)p + sent, n - (size_t)sent);
    if (c->out.failed)
        client_dies(m, c);
    watch(m, c);
}

void client_queue(struct monitor *m, struct client *c, const struct buf *b) {
    if (b->failed)
        client_dies(m, c);
    else
        send_or_keep(m, c, b->data, b->size);
}

static void reply_u32s(struct monitor *m, struct client *c, uint8_t type, const uint32_t *v, size_t n) {
    _cleanup_buf_ struct buf b = BUF_INIT;

    frame_add_u32s(&b, type, v, n);
    client_queue(m, c, &b);
}

static void reply_error(struct monitor *m, struct client *c, int code, const struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;

    frame_add_error(&b, code, e);
    client_queue(m, c, &b);
}

/* OK, or what failed. */
static void reply(struct monitor *m, struct client *c, int r, const struct error *e) {
    if (r < 0)
        reply_error(m, c, r, e);
    else
        reply_u32s(m, c, FRAME_OK, NULL, 0);
}

void client_deliver(struct monitor *m, int stream, char *frame, size_t size) {
    uint32_t bit = stream == 2 ? STREAM_ERR : STREAM_OUT;
    bool primary = false;

    frame_header((unsigned char *)frame, (uint8_t)stream, size);
    for (struct client *c = m->clients; c; c = c->next) {
        if (!(c->streams & bit) || c->dead)
            continue;
        if (!c->primary && c->out.size > CLIENT_OUT_MAX) { /* it learns how much it missed; the container does not wait */
            c->dropped += (uint32_t)size;
            continue;
        }
        if (c->dropped) {
            reply_u32s(m, c, FRAME_DROPPED, &c->dropped, 1);
            c->dropped = 0;
        }
        primary = primary || c->primary;
        send_or_keep(m, c, frame, FRAME_HEADER_SIZE + size);
    }
    if (primary)
        balance(m);
}

static void client_flush(struct monitor *m, struct client *c) {
    while (c->out.size) {
        ssize_t n = send(c->source.fd, c->out.data, c->out.size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            client_dies(m, c);
            return;
        }
        if (n < 0)
            break;
        buf_consume(&c->out, (size_t)n);
    }
    if (c->out.size == 0)
        buf_release(&c->out);
    watch(m, c);
    if (c->primary)
        balance(m);
}

void clients_tell_exit(struct monitor *m, bool final) {
    uint32_t flags = (m->state.oom_killed ? FRAME_EXIT_OOM : 0) | (m->state.exit_unknown ? FRAME_EXIT_UNKNOWN : 0);
    const uint32_t v[] = {(uint32_t)m->state.exit_code, flags};

    for (struct client *c = m->clients; c; c = c->next) {
        if (!c->waiting || (!final && c->condition != WAIT_NEXT_EXIT && !(c->stopper && m->restart_asked)))
            continue;
        if (c->dropped)
            reply_u32s(m, c, FRAME_DROPPED, &c->dropped, 1);
        c->dropped = 0;
        reply_u32s(m, c, FRAME_EXIT, v, 2);
        c->waiting = false;
        c->streams = 0;
    }
    if (final)
        m->deadline[DEADLINE_LINGER] = clock_monotonic_ns() + LINGER_NS;
}

void clients_tell_restarted(struct monitor *m) {
    const uint32_t pid = (uint32_t)m->state.pid;

    for (struct client *c = m->clients; c; c = c->next) {
        if (c->restarter)
            reply_u32s(m, c, FRAME_STARTED, &pid, 1);
        c->restarter = false;
    }
}

bool clients_all_served(const struct monitor *m) {
    for (const struct client *c = m->clients; c; c = c->next)
        if (!c->dead && c->out.size)
            return false;
    return true;
}

/* ---- requests ---- */

void client_stdin_taken(struct monitor *m, struct client *c, size_t n) {
    uint32_t taken = (uint32_t)MIN_OF(n, c->stdin_held);

    c->stdin_held -= taken;
    if (taken && !c->dead)
        reply_u32s(m, c, FRAME_STDIN_ACK, &taken, 1);
}

static int on_hello(struct monitor *m, struct client *c, const struct frame *f) {
    const uint32_t version = FRAME_VERSION;

    (void)f;
    c->greeted = true;
    reply_u32s(m, c, FRAME_HELLO, &version, 1);
    return 0;
}

static int on_stdin(struct monitor *m, struct client *c, const struct frame *f) {
    if (!(c->streams & STREAM_IN) || c->stdin_held + f->size > FRAME_STDIN_WINDOW)
        return -EPROTO;
    c->stdin_held += f->size;
    stdio_input(m, c, f->data, f->size);
    return 0;
}

static int on_stdin_eof(struct monitor *m, struct client *c, const struct frame *f) {
    (void)f;
    if (c->streams & STREAM_IN)
        stdio_input_eof(m, c);
    return 0;
}

static int on_attach(struct monitor *m, struct client *c, const struct frame *f) {
    const uint32_t pid = (uint32_t)m->state.pid;

    c->streams = frame_u32(f, 0, 0) & (STREAM_IN | STREAM_OUT | STREAM_ERR);
    c->waiting = true;
    c->condition = WAIT_NEXT_EXIT;
    reply_u32s(m, c, FRAME_OK, &pid, 1);
    monitor_event(m, "attach", NULL);
    stdio_resize(m, frame_u32(f, 1, 0), frame_u32(f, 2, 0));
    return 0;
}

static int on_resize(struct monitor *m, struct client *c, const struct frame *f) {
    char size[64];

    stdio_resize(m, frame_u32(f, 0, 0), frame_u32(f, 1, 0));
    (void)snprintf(size, sizeof(size), "\"height\":\"%u\",\"width\":\"%u\"", frame_u32(f, 0, 0), frame_u32(f, 1, 0));
    monitor_event(m, "resize", size);
    if (!c->streams)
        reply(m, c, 0, NULL);
    return 0;
}

static int on_signal(struct monitor *m, struct client *c, const struct frame *f) {
    uint32_t signo = frame_u32(f, 0, 0), stop = m->l.stop_signal ? m->l.stop_signal : SIGTERM;
    char text[32];
    int r;

    if (signo == 0 || signo >= NSIG)
        return -EPROTO;
    if ((signo == SIGKILL || signo == stop) && !m->state.stopped_by_user && !m->is_exec) {
        m->state.stopped_by_user = true; /* as Docker: a policy does not start again what was killed on purpose */
        monitor_state_save(m);
    }
    r = payload_signal(m, (int)signo);
    if (r == 0 && !m->is_exec) {
        (void)snprintf(text, sizeof(text), "\"signal\":\"%u\"", signo);
        monitor_event(m, "kill", text);
    }
    if (signo == SIGKILL && m->state.status == STATUS_PAUSED) /* version 1: the frozen do not die */
        payload_kill_all(m);
    if (c->streams)
        return 0;
    reply(m, c, r, NULL);
    return 0;
}

static void stop_as_asked(struct monitor *m, struct client *c, const struct frame *f) {
    int signo = (int)frame_u32(f, 0, 0), timeout = (int)frame_u32(f, 1, (uint32_t)INT_MIN);

    c->waiting = true;
    payload_stop(m, signo, timeout == INT_MIN ? m->l.stop_timeout_s : timeout, !m->restart_asked);
}

static int on_stop(struct monitor *m, struct client *c, const struct frame *f) {
    c->condition = WAIT_NOT_RUNNING;
    c->stopper = true;
    m->restart_asked = false;
    stop_as_asked(m, c, f);
    return 0;
}

static int on_restart(struct monitor *m, struct client *c, const struct frame *f) {
    c->condition = WAIT_NEXT_EXIT;
    c->restarter = true;
    m->restart_asked = true;
    m->state.restart_count = 0;
    stop_as_asked(m, c, f);
    return 0;
}

static int on_pause(struct monitor *m, struct client *c, const struct frame *f) {
    _cleanup_error_ struct error e = ERROR_INIT;
    int r = payload_pause(m, frame_u32(f, 0, 0) == 1, &e);

    reply(m, c, r, &e);
    return 0;
}

static int on_wait(struct monitor *m, struct client *c, const struct frame *f) {
    (void)m;
    c->waiting = true;
    c->condition = frame_u32(f, 0, WAIT_NOT_RUNNING);
    return 0;
}

static int on_policy(struct monitor *m, struct client *c, const struct frame *f) {
    uint32_t policy = frame_u32(f, 0, UINT32_MAX);

    if (policy > RESTART_ON_FAILURE)
        return -EPROTO;
    m->l.restart = policy;
    m->l.restart_max = frame_u32(f, 1, 0);
    monitor_remember(m);
    reply(m, c, 0, NULL);
    return 0;
}

static int on_names(struct monitor *m, struct client *c, const struct frame *f) {
    _cleanup_error_ struct error e = ERROR_INIT;
    int r = m->phase == PHASE_RUNNING ? holder_names(m, &e) : 0;

    (void)f;
    reply(m, c, r, &e);
    return 0;
}

static int on_settle(struct monitor *m, struct client *c, const struct frame *f) {
    (void)f;
    m->deadline[DEADLINE_SETTLE] = 0;
    if (m->l.plan_size > 0)
        monitor_settle_late(m);
    reply(m, c, 0, NULL);
    return 0;
}

static int on_ports(struct monitor *m, struct client *c, const struct frame *f) {
    (void)f;
    holder_renew(m);
    reply(m, c, 0, NULL);
    return 0;
}

static int on_name(struct monitor *m, struct client *c, const struct frame *f) {
    _cleanup_error_ struct error e = ERROR_INIT;
    int r = monitor_rename(m, &e);

    (void)f;
    reply(m, c, r, &e);
    return 0;
}

static int on_broken(struct monitor *m, struct client *c, const struct frame *f) {
    uint32_t stream = frame_u32(f, 0, 0);

    if (stream != 1 && stream != 2)
        return -EPROTO;
    c->streams &= ~(uint32_t)(stream == 2 ? STREAM_ERR : STREAM_OUT);
    if (c->primary)
        stdio_break(m, (int)stream);
    return 0;
}

static const struct {
    uint8_t type;
    bool exec_too;     /* an exec's worker knows it, too */
    bool running_only; /* asks for a living payload (or one that comes back) */
    int (*handle)(struct monitor *, struct client *, const struct frame *);
} requests[] = {
    {FRAME_HELLO, true, false, on_hello},   {FRAME_STDIN, true, false, on_stdin},     {FRAME_STDIN_EOF, true, false, on_stdin_eof},
    {FRAME_ATTACH, false, true, on_attach}, {FRAME_RESIZE, true, false, on_resize},   {FRAME_SIGNAL, true, false, on_signal},
    {FRAME_STOP, false, true, on_stop},     {FRAME_RESTART, false, true, on_restart}, {FRAME_PAUSE, false, false, on_pause},
    {FRAME_WAIT, true, true, on_wait},      {FRAME_POLICY, false, true, on_policy},   {FRAME_NAMES, false, true, on_names},
    {FRAME_BROKEN, true, false, on_broken}, {FRAME_SETTLE, false, true, on_settle},   {FRAME_PORTS, false, true, on_ports},
    {FRAME_NAME, false, true, on_name},
};

/* Returns negative when the client does not keep to the protocol. */
static int handle(struct monitor *m, struct client *c, const struct frame *f) {
    if (!c->greeted && f->type != FRAME_HELLO)
        return -EPROTO;
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        if (requests[i].type != f->type || (m->is_exec && !requests[i].exec_too))
            continue;
        if (requests[i].running_only && m->phase == PHASE_LINGERING) {
            reply_error(m, c, -ESRCH, NULL); /* connected while it ended: the state tells */
            return 0;
        }
        return requests[i].handle(m, c, f);
    }
    reply_error(m, c, -ENOSYS, NULL);
    return 0;
}

/* Reads once and handles what is whole. false: the client is gone. */
static bool client_read(struct monitor *m, struct client *c) {
    struct frame f;
    ssize_t n, took;
    size_t used = 0;

    if (!buf_reserve(&c->in, 4096))
        return false;
    n = recv(c->source.fd, c->in.data + c->in.size, c->in.room - c->in.size - 1, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        return false;
    if (n < 0)
        return true;
    c->in.size += (size_t)n;
    while ((took = frame_parse(c->in.data + used, c->in.size - used, &f)) > 0) {
        if (handle(m, c, &f) < 0)
            return false;
        used += (size_t)took;
        if (c->dead)
            return true;
    }
    buf_consume(&c->in, used);
    if (took < 0 || c->in.size > CLIENT_FRAME_MAX)
        return false;
    if (c->in.size == 0)
        buf_release(&c->in);
    return true;
}

static void client_ready(struct monitor *m, struct source *s, uint32_t events) {
    struct client *c = (struct client *)s;

    if (c->dead)
        return;
    if (events & EPOLLOUT)
        client_flush(m, c);
    if (!c->dead && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !client_read(m, c))
        client_dies(m, c);
}

static void client_free(struct monitor *m, struct client *c) {
    if (m->input_from == c)
        m->input_from = NULL;
    /* `run -i`: the one who gave the input is gone. */
    if ((c->streams & STREAM_IN) && c->primary)
        stdio_input_eof(m, c);
    if (c->streams && m->phase == PHASE_RUNNING)
        monitor_event(m, "detach", NULL);
    loop_remove(m, &c->source);
    buf_release(&c->in);
    buf_release(&c->out);
    free(c);
}

void clients_reap(struct monitor *m) {
    struct client **at = &m->clients;
    bool primary = false;

    m->client_died = false;
    while (*at) {
        struct client *c = *at;

        if (!c->dead) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        primary = primary || c->primary;
        client_free(m, c);
    }
    if (primary)
        balance(m);
}
