#include "kernel/dbus.h"

#include <endian.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"

#define AUTH_LINE_MAX    256 /* bytes of the server's answers to the authentication */
#define LITTLE           'l'
#define BIG              'B'
#define PROTOCOL_VERSION 1
#define NS_PER_MS        1000000LL

enum header_field {
    FIELD_PATH = 1,
    FIELD_INTERFACE,
    FIELD_MEMBER,
    FIELD_ERROR_NAME,
    FIELD_REPLY_SERIAL,
    FIELD_DESTINATION,
    FIELD_SENDER,
    FIELD_SIGNATURE
};

/* ---- Marshalling ---- */

void dbus_align(struct buf *b, size_t to) {
    while (b->size % to && !b->failed)
        buf_add_char(b, '\0');
}

void dbus_put_byte(struct buf *b, uint8_t v) {
    buf_add(b, &v, 1);
}

void dbus_put_u32(struct buf *b, uint32_t v) {
    uint32_t le = htole32(v);

    dbus_align(b, sizeof(le));
    buf_add(b, &le, sizeof(le));
}

void dbus_put_u64(struct buf *b, uint64_t v) {
    uint64_t le = htole64(v);

    dbus_align(b, sizeof(le));
    buf_add(b, &le, sizeof(le));
}

void dbus_put_string(struct buf *b, const char *s) {
    dbus_put_u32(b, (uint32_t)strlen(s));
    buf_add(b, s, strlen(s) + 1);
}

void dbus_put_signature(struct buf *b, const char *s) {
    dbus_put_byte(b, (uint8_t)strlen(s));
    buf_add(b, s, strlen(s) + 1);
}

/* The padding before the first item is not counted, and is there even when no item is. */
struct dbus_array dbus_array_begin(struct buf *b, size_t to) {
    struct dbus_array array;

    dbus_put_u32(b, 0);
    array.length_at = b->size - sizeof(uint32_t);
    dbus_align(b, to);
    array.start = b->size;
    return array;
}

void dbus_array_end(struct buf *b, struct dbus_array array) {
    uint32_t le = htole32((uint32_t)(b->size - array.start));

    if (!b->failed)
        memcpy(b->data + array.length_at, &le, sizeof(le));
}

static void put_field(struct buf *b, enum header_field field, const char *type, const char *value) {
    if (!value)
        return;
    dbus_align(b, 8);
    dbus_put_byte(b, (uint8_t)field);
    dbus_put_signature(b, type);
    if (*type == 'g')
        dbus_put_signature(b, value);
    else
        dbus_put_string(b, value);
}

void dbus_call_marshal(const struct dbus_call *call, uint32_t serial, struct buf *out) {
    struct dbus_array fields;

    dbus_put_byte(out, LITTLE);
    dbus_put_byte(out, DBUS_CALL);
    dbus_put_byte(out, 0); /* flags: an answer is wanted */
    dbus_put_byte(out, PROTOCOL_VERSION);
    dbus_put_u32(out, call->body ? (uint32_t)call->body->size : 0);
    dbus_put_u32(out, serial);
    fields = dbus_array_begin(out, 8);
    put_field(out, FIELD_PATH, "o", call->path);
    put_field(out, FIELD_INTERFACE, "s", call->interface);
    put_field(out, FIELD_MEMBER, "s", call->member);
    put_field(out, FIELD_DESTINATION, "s", call->destination);
    put_field(out, FIELD_SIGNATURE, "g", call->signature);
    dbus_array_end(out, fields);
    dbus_align(out, 8);
    if (call->body)
        buf_add(out, call->body->data, call->body->size);
}

/* ---- Reading ---- */

static const char *take(struct dbus_reader *r, size_t align, size_t n) {
    size_t at = (r->at + align - 1) / align * align;
    const char *p;

    if (r->failed || at > r->size || n > r->size - at) {
        r->failed = true;
        return NULL;
    }
    p = r->data + at;
    r->at = at + n;
    return p;
}

static uint8_t get_byte(struct dbus_reader *r) {
    const char *p = take(r, 1, 1);

    return p ? (uint8_t)*p : 0;
}

uint32_t dbus_get_u32(struct dbus_reader *r) {
    const char *p = take(r, 4, 4);
    uint32_t v = 0;

    if (p)
        memcpy(&v, p, sizeof(v));
    return r->swap ? __builtin_bswap32(v) : v;
}

static const char *get_text(struct dbus_reader *r, size_t length) {
    const char *p = length < DBUS_MESSAGE_MAX ? take(r, 1, length + 1) : NULL;

    if (p && !p[length] && strlen(p) == length)
        return p;
    r->failed = true;
    return "";
}

const char *dbus_get_string(struct dbus_reader *r) {
    return get_text(r, dbus_get_u32(r));
}

const char *dbus_get_variant_string(struct dbus_reader *r) {
    const char *type = get_text(r, get_byte(r));

    if (strcmp(type, "s") != 0)
        r->failed = true;
    return r->failed ? "" : dbus_get_string(r);
}

static bool is_swapped(char order) {
    return (order == LITTLE) != (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
}

static struct dbus_reader reader_of(const void *data, size_t size) {
    return (struct dbus_reader){.data = data, .size = size, .swap = is_swapped(*(const char *)data)};
}

ssize_t dbus_message_size(const void *header) {
    const char *h = header;
    struct dbus_reader r = reader_of(header, DBUS_HEADER_SIZE);
    uint32_t body, fields;

    if ((h[0] != LITTLE && h[0] != BIG) || h[3] != PROTOCOL_VERSION)
        return -EPROTO;
    r.at = 4;
    body = dbus_get_u32(&r);
    r.at = 12;
    fields = dbus_get_u32(&r);
    if (body > DBUS_MESSAGE_MAX || fields > DBUS_MESSAGE_MAX || body + fields > DBUS_MESSAGE_MAX - DBUS_HEADER_SIZE - 8)
        return -EMSGSIZE;
    return (ssize_t)(DBUS_HEADER_SIZE + ((size_t)fields + 7) / 8 * 8 + body);
}

/* Fields of a header hold text or a number, nothing else; unknown ones are to be passed over. */
static void parse_field(struct dbus_reader *r, struct dbus_message *m) {
    const char **const texts[] = {[FIELD_INTERFACE] = &m->interface,
                                  [FIELD_MEMBER] = &m->member,
                                  [FIELD_ERROR_NAME] = &m->error_name,
                                  [FIELD_SIGNATURE] = &m->signature};
    unsigned field;
    const char *type, *text;

    (void)take(r, 8, 0);
    field = get_byte(r);
    type = get_text(r, get_byte(r));
    if (strcmp(type, "u") == 0) {
        uint32_t v = dbus_get_u32(r);

        if (field == FIELD_REPLY_SERIAL)
            m->reply_serial = v;
        return;
    }
    if (strcmp(type, "s") != 0 && strcmp(type, "o") != 0 && strcmp(type, "g") != 0) {
        r->failed = true;
        return;
    }
    text = *type == 'g' ? get_text(r, get_byte(r)) : dbus_get_string(r);
    if (field < ARRAY_SIZE(texts) && texts[field] && (*type == 'g') == (field == FIELD_SIGNATURE))
        *texts[field] = text;
}

int dbus_message_parse(const void *message, size_t size, struct dbus_message *ret) {
    struct dbus_message m = {.interface = "", .member = "", .error_name = "", .signature = ""};
    struct dbus_reader r;
    size_t fields;

    if (size < DBUS_HEADER_SIZE || dbus_message_size(message) != (ssize_t)size)
        return -EPROTO;
    m.type = (enum dbus_type)((const uint8_t *)message)[1];
    r = reader_of(message, size);
    r.at = 12;
    fields = dbus_get_u32(&r);
    r.size = DBUS_HEADER_SIZE + fields;
    while (!r.failed && r.at < r.size)
        parse_field(&r, &m);
    if (r.failed)
        return -EPROTO;
    r.at = (r.size + 7) / 8 * 8;
    m.body = (struct dbus_reader){.data = (const char *)message + r.at, .size = size - r.at, .swap = r.swap};
    *ret = m;
    return 0;
}

/* ---- The connection ---- */

void dbus_release(struct dbus *d) {
    d->fd = fd_close(d->fd);
    buf_release(&d->message);
}

static int wait_for(const struct dbus *d, short events) {
    struct pollfd p = {.fd = d->fd, .events = events};
    int64_t left = d->deadline_ns - clock_monotonic_ns();
    int n;

    if (left <= 0)
        return -ETIMEDOUT;
    n = poll(&p, 1, (int)(left / NS_PER_MS) + 1);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    return n == 0 ? -ETIMEDOUT : 0;
}

static int send_all(const struct dbus *d, const void *data, size_t size) {
    const char *p = data;

    while (size > 0) {
        ssize_t n = send(d->fd, p, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        int r = 0;

        if (n < 0)
            r = errno == EAGAIN || errno == EINTR ? wait_for(d, POLLOUT) : -errno;
        if (r < 0)
            return r;
        p += MAX_OF(n, 0);
        size -= (size_t)MAX_OF(n, 0);
    }
    return 0;
}

/* Exactly so many bytes: what belongs to the next message stays in the socket. */
static int receive_all(const struct dbus *d, void *data, size_t size) {
    char *p = data;

    while (size > 0) {
        ssize_t n = recv(d->fd, p, size, MSG_DONTWAIT);
        int r = 0;

        if (n == 0)
            return -ECONNRESET;
        if (n < 0)
            r = errno == EAGAIN || errno == EINTR ? wait_for(d, POLLIN) : -errno;
        if (r < 0)
            return r;
        p += MAX_OF(n, 0);
        size -= (size_t)MAX_OF(n, 0);
    }
    return 0;
}

/* Byte by byte up to the end of the line: behind the last one messages follow. */
static int receive_line(const struct dbus *d, char line[AUTH_LINE_MAX]) {
    for (size_t n = 0; n < AUTH_LINE_MAX - 1; n++) {
        int r = receive_all(d, line + n, 1);

        if (r < 0)
            return r;
        line[n + 1] = '\0';
        if (n > 0 && line[n - 1] == '\r' && line[n] == '\n')
            return 0;
    }
    return -EPROTO;
}

/* EXTERNAL without a name: the server believes what the kernel says of the peer, also when this is a user namespace, in which the
 * caller's own number is another. BEGIN goes with the rest, as systemd's own clients send it: a call that reaches systemd in one
 * read with BEGIN would lie there unseen until more comes. */
static int authenticate(const struct dbus *d) {
    static const char hello[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
    char line[AUTH_LINE_MAX];
    int r = send_all(d, hello, sizeof(hello) - 1);

    if (r == 0)
        r = receive_line(d, line);
    if (r == 0 && strncmp(line, "DATA", 4) == 0)
        r = receive_line(d, line);
    if (r < 0)
        return r;
    return strncmp(line, "OK ", 3) == 0 ? 0 : -EACCES;
}

int dbus_open(const char *path, int timeout_ms, struct dbus *ret, struct error *e) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    _cleanup_dbus_ struct dbus d = DBUS_INIT;
    int r;

    if ((size_t)snprintf(to.sun_path, sizeof(to.sun_path), "%s", path) >= sizeof(to.sun_path))
        return error_errno(e, -ENAMETOOLONG, "connect to %s", path);
    d.message.max = DBUS_MESSAGE_MAX;
    d.deadline_ns = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
    d.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (d.fd < 0 || connect(d.fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
        return error_errno(e, -errno, "connect to %s", path);
    r = authenticate(&d);
    if (r < 0)
        return error_errno(e, r, "authenticate at %s", path);
    *ret = d;
    d = (struct dbus)DBUS_INIT;
    return 0;
}

static int receive(struct dbus *d, struct dbus_message *ret) {
    char header[DBUS_HEADER_SIZE];
    ssize_t size;
    int r = receive_all(d, header, sizeof(header));

    if (r < 0)
        return r;
    size = dbus_message_size(header);
    if (size < 0)
        return (int)size;
    buf_clear(&d->message);
    buf_add(&d->message, header, sizeof(header));
    if (!buf_reserve(&d->message, (size_t)size - sizeof(header)))
        return -EMSGSIZE;
    r = receive_all(d, d->message.data + sizeof(header), (size_t)size - sizeof(header));
    if (r < 0)
        return r;
    d->message.size = (size_t)size;
    r = dbus_message_parse(d->message.data, d->message.size, ret);
    if (r == 0 && ret->type == DBUS_SIGNAL && d->on_signal)
        d->on_signal(ret, d->on_signal_arg);
    return r;
}

int dbus_wait(struct dbus *d, struct error *e) {
    struct dbus_message m;
    int r = receive(d, &m);

    return r < 0 ? error_errno(e, r, "wait for a signal on D-Bus") : 0;
}

static int remote_error(const struct dbus_message *m, const char *member, struct error *e) {
    struct dbus_reader body = m->body;
    const char *text = *m->signature == 's' ? dbus_get_string(&body) : "";

    return error_set(e, -EREMOTEIO, "%s: %s (%s)", member, *text ? text : "failed", m->error_name);
}

int dbus_call(struct dbus *d, const struct dbus_call *call, struct dbus_message *ret, struct error *e) {
    _cleanup_buf_ struct buf out = BUF_WITH_MAX(DBUS_MESSAGE_MAX);
    uint32_t serial = ++d->serial;
    int r;

    dbus_call_marshal(call, serial, &out);
    r = out.failed || (call->body && call->body->failed) ? -EMSGSIZE : send_all(d, out.data, out.size);
    while (r == 0) {
        r = receive(d, ret);
        if (r == 0 && (ret->type == DBUS_RETURN || ret->type == DBUS_ERROR) && ret->reply_serial == serial)
            break;
    }
    if (r < 0) {
        *ret = (struct dbus_message){.interface = "", .member = "", .error_name = "", .signature = ""};
        return error_errno(e, r, "%s over D-Bus", call->member);
    }
    return ret->type == DBUS_ERROR ? remote_error(ret, call->member, e) : 0;
}
