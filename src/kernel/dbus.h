/* D-Bus, as much as it takes to call methods of systemd: one connection over a Unix socket, marshalling of the types that it uses,
 * one call at a time, signals handed to a function while an answer is awaited. Small and without libraries, as netlink.h.
 *
 * Source: the D-Bus specification, "Type System", "Message Protocol", "Authentication Protocol". */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#define DBUS_MESSAGE_MAX ((size_t)1 << 20) /* bytes of one that comes in; the specification allows 128 times as much */

/* ---- Marshalling: little-endian, each value at a multiple of its own size, counted from the start of the buffer. ---- */

void dbus_put_byte(struct buf *b, uint8_t v);
void dbus_put_u32(struct buf *b, uint32_t v);       /* also int32; and boolean: 0 or 1 */
void dbus_put_u64(struct buf *b, uint64_t v);       /* also int64 */
void dbus_put_string(struct buf *b, const char *s); /* also object paths */
void dbus_put_signature(struct buf *b, const char *s);
void dbus_align(struct buf *b, size_t to); /* 8 before each struct and dict entry */
/* Begins an array whose items are aligned to `to`; returns what dbus_array_end() wants. */
struct dbus_array {
    size_t length_at, start;
};
struct dbus_array dbus_array_begin(struct buf *b, size_t to);
void dbus_array_end(struct buf *b, struct dbus_array array);

struct dbus_call {
    const char *destination, *path, *interface, *member;
    const char *signature; /* of the body; NULL = there is none */
    const struct buf *body;
};
/* The message of a method call. Pure. */
void dbus_call_marshal(const struct dbus_call *call, uint32_t serial, struct buf *out);

/* ---- What comes in ---- */

enum dbus_type { DBUS_CALL = 1, DBUS_RETURN = 2, DBUS_ERROR = 3, DBUS_SIGNAL = 4 };

/* Values are read in order; past the end, or where a string is not one, `failed` sticks and 0 or "" comes. */
struct dbus_reader {
    const char *data;
    size_t size, at;
    bool swap; /* the sender's byte order is not ours */
    bool failed;
};
uint32_t dbus_get_u32(struct dbus_reader *r);
const char *dbus_get_string(struct dbus_reader *r); /* points into the message */
const char *dbus_get_variant_string(struct dbus_reader *r);

/* Pointers into the message; "" what its header does not hold. */
struct dbus_message {
    enum dbus_type type;
    uint32_t reply_serial;
    const char *interface, *member, *error_name, *signature;
    struct dbus_reader body;
};
#define DBUS_HEADER_SIZE 16
/* The bytes of the whole message, from its first DBUS_HEADER_SIZE ones. -EPROTO, -EMSGSIZE (DBUS_MESSAGE_MAX). Pure. */
ssize_t dbus_message_size(const void *header);
/* -EPROTO for what the specification forbids or this file does not know. Pure. */
int dbus_message_parse(const void *message, size_t size, struct dbus_message *ret);

/* ---- A connection ---- */

struct dbus {
    int fd; /* owned; non-blocking */
    uint32_t serial;
    int64_t deadline_ns;                                             /* monotonic: of everything that is done with the connection */
    struct buf message;                                              /* the last one that came in */
    void (*on_signal)(const struct dbus_message *signal, void *arg); /* NULL = they are dropped */
    void *on_signal_arg;
};
#define DBUS_INIT                                                                                                                  \
    { .fd = -1 }
#define _cleanup_dbus_ _cleanup_(dbus_release)
void dbus_release(struct dbus *d);

/* Connects to the socket and says who calls, by the credentials of the socket. -ENOENT, -ECONNREFUSED: nobody is there; -EACCES;
 * -ETIMEDOUT, as all below. */
int dbus_open(const char *socket, int timeout_ms, struct dbus *ret, struct error *e);
/* Sends the call and waits for its answer, which stands in d->message until the next call. An error of the callee's is -EREMOTEIO
 * with its text; ret->error_name tells it, then too. */
int dbus_call(struct dbus *d, const struct dbus_call *call, struct dbus_message *ret, struct error *e);
/* Waits for one more message: a signal, that is. */
int dbus_wait(struct dbus *d, struct error *e);
