/* Frames: length (4 bytes, big endian), stream (4), type, flags; then a Request or a Response. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "shim/messages.pb-c.h"
#include "shim/shim.h"
#include "shim/ttrpc.h"

#define READ_SIZE 4096
#define OUT_MAX   ((size_t)8 << 20) /* of a caller that does not read */

static void *take(void *arena, size_t n) {
    return arena_alloc(arena, n);
}

static void leave(void *arena, void *p) {
    (void)arena;
    (void)p;
}

void *message_unpack(const ProtobufCMessageDescriptor *type, const void *p, size_t n, struct arena *a) {
    ProtobufCAllocator allocator = {.alloc = take, .free = leave, .allocator_data = a};

    return protobuf_c_message_unpack(type, &allocator, n, p);
}

void message_pack(const ProtobufCMessage *m, struct buf *out) {
    size_t n = protobuf_c_message_get_packed_size(m);

    if (!buf_reserve(out, n + 1)) {
        out->failed = true;
        return;
    }
    out->size += protobuf_c_message_pack(m, (uint8_t *)out->data + out->size);
    out->data[out->size] = '\0';
}

void ttrpc_add_frame(uint32_t stream, enum ttrpc_type type, const ProtobufCMessage *m, struct buf *out) {
    uint32_t words[2] = {htonl((uint32_t)protobuf_c_message_get_packed_size(m)), htonl(stream)};

    buf_add(out, words, sizeof(words));
    buf_add_char(out, (char)type);
    buf_add_char(out, 0);
    message_pack(m, out);
}

int ttrpc_take_frame(struct buf *in, struct ttrpc_frame *ret) {
    uint32_t words[2];

    if (in->size < TTRPC_HEADER)
        return 0;
    memcpy(words, in->data, sizeof(words));
    ret->size = ntohl(words[0]);
    ret->stream = ntohl(words[1]);
    ret->type = (unsigned char)in->data[8];
    if (ret->size > SHIM_MESSAGE_MAX)
        return -EMSGSIZE;
    if (in->size < TTRPC_HEADER + ret->size)
        return 0;
    ret->data = in->data + TTRPC_HEADER;
    return 1;
}

void ttrpc_drop_frame(struct buf *in, const struct ttrpc_frame *frame) {
    buf_consume(in, TTRPC_HEADER + frame->size);
    if (in->size == 0)
        buf_release(in); /* the shim is idle most of its life */
}

int ttrpc_read(int fd, struct buf *in) {
    if (!buf_reserve(in, READ_SIZE))
        return -ENOMEM;
    ssize_t n = recv(fd, in->data + in->size, READ_SIZE - 1, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0)
        return -ECONNRESET;
    in->size += (size_t)n;
    return 0;
}

/* ---- The server ---- */

static void connection_end(struct shim *s, struct connection *c) {
    struct connection **at = &s->connections;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    watch_remove(s, &c->watch);
    buf_release(&c->in);
    buf_release(&c->out);
    free(c);
}

static struct connection *find(struct shim *s, uint32_t serial) {
    struct connection *c = s->connections;

    while (c && c->serial != serial)
        c = c->next;
    return c;
}

/* A broken connection is taken down by the loop (EPOLLHUP), never from within an answer. */
static void flush(struct shim *s, struct connection *c) {
    while (c->out.size > 0) {
        ssize_t n = send(c->watch.fd, c->out.data, c->out.size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (errno != EAGAIN)
                buf_clear(&c->out);
            break;
        }
        buf_consume(&c->out, (size_t)n);
    }
    watch_change(s, &c->watch, c->out.size > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
    if (c->out.size == 0)
        buf_release(&c->out);
}

static void respond(struct shim *s, struct caller to, const Pb__Response *m) {
    struct connection *c = find(s, to.connection);

    if (!c)
        return;
    if (c->out.size > OUT_MAX) {
        (void)shutdown(c->watch.fd, SHUT_RDWR);
        return;
    }
    ttrpc_add_frame(to.stream, TTRPC_RESPONSE, &m->base, &c->out);
    flush(s, c);
}

void answer_bytes(struct shim *s, struct caller to, const void *payload, size_t n) {
    Pb__Status ok = PB__STATUS__INIT;
    Pb__Response m = PB__RESPONSE__INIT;

    m.status = &ok;
    m.payload.data = (uint8_t *)(uintptr_t)payload;
    m.payload.len = n;
    respond(s, to, &m);
}

void answer(struct shim *s, struct caller to, const ProtobufCMessage *message) {
    _cleanup_buf_ struct buf payload = BUF_INIT;

    if (message)
        message_pack(message, &payload);
    answer_bytes(s, to, payload.data, payload.size);
}

void answer_error(struct shim *s, struct caller to, enum rpc_code code, const char *fmt, ...) {
    char text[1024];
    Pb__Status status = PB__STATUS__INIT;
    Pb__Response m = PB__RESPONSE__INIT;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    status.code = (int32_t)code;
    status.message = text;
    m.status = &status;
    respond(s, to, &m);
}

static void handle(struct shim *s, struct connection *c, const struct ttrpc_frame *frame) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const struct caller from = {c->serial, frame->stream};
    const Pb__Request *m;

    if (frame->type != TTRPC_REQUEST)
        return; /* streams of data belong to no method of ours */
    m = message_unpack(&pb__request__descriptor, frame->data, frame->size, &a);
    if (!m)
        answer_error(s, from, RPC_INVALID, "the request cannot be read");
    else
        service_call(s, from, m->service, m->method, m->payload.data, m->payload.len);
}

static void connection_ready(struct shim *s, struct watch *w, uint32_t events) {
    struct connection *c = (struct connection *)w;
    struct ttrpc_frame frame;
    int r = events & EPOLLIN ? ttrpc_read(w->fd, &c->in) : events & (EPOLLHUP | EPOLLERR) ? -ECONNRESET : 0;

    while (r == 0 && (r = ttrpc_take_frame(&c->in, &frame)) > 0) {
        handle(s, c, &frame);
        ttrpc_drop_frame(&c->in, &frame);
        r = 0;
    }
    if (r < 0)
        connection_end(s, c);
    else if (events & EPOLLOUT)
        flush(s, c);
}

static bool is_ours(int fd) {
    struct ucred peer;
    socklen_t n = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && peer.uid == geteuid();
}

void connections_accept(struct shim *s, struct watch *w, uint32_t events) {
    _cleanup_fd_ int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct connection *c;

    (void)events;
    if (fd < 0 || !is_ours(fd))
        return;
    c = calloc(1, sizeof(*c));
    if (!c)
        return;
    c->watch = (struct watch){.fd = fd, .ready = connection_ready};
    c->serial = ++s->serial;
    if (watch_add(s, &c->watch, EPOLLIN) < 0) {
        free(c);
        return;
    }
    (void)TAKE_FD(fd);
    c->next = s->connections;
    s->connections = c;
}
