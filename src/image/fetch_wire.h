/* The messages between the engine and tare-fetch: a header, then fields of one table each way. The engine trusts nothing in a
 * reply: it has passed through a process that read bytes from strangers.
 *
 * On the socket: u32 version, u32 length of what follows, then for each field u32 id, u32 length, bytes. Host byte order: both ends
 * are one installation on one machine. Descriptors travel beside the header (SCM_RIGHTS). */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define FETCH_WIRE_VERSION 1u
#define FETCH_MESSAGE_MAX  ((size_t)16 << 20) /* a body of 8 MiB, certificates, headers */
#define FETCH_CONTROL_FD   3                  /* the worker's end of the socket */

struct bytes {
    const void *p;
    size_t n;
};

enum fetch_flag {
    FETCH_SKIP_VERIFY = 1 << 0,       /* TLS without checking the certificate (a registry configured insecure) */
    FETCH_REFUSE_PRIVATE = 1 << 1,    /* connect to no loopback, link-local or private address */
    FETCH_REFUSE_LINK_LOCAL = 1 << 2, /* nor to link-local ones (169.254.169.254 hands out a machine's secrets) */
    FETCH_SINK = 1 << 3,              /* a descriptor comes with the request: write the body there */
    FETCH_UPLOAD = 1 << 4,            /* a descriptor comes with the request: send upload_size bytes of it */
};

struct fetch_request {
    const char *method; /* GET, HEAD, POST, PUT, PATCH */
    const char *url;
    struct strs headers; /* "Name: value" */
    uint64_t flags;      /* enum fetch_flag */
    struct bytes body;   /* to send */
    uint64_t body_max;   /* bytes of an answer kept in the reply; more is an error */
    uint64_t offset;     /* FETCH_SINK: bytes that the receiver has already */
    uint64_t size;       /* FETCH_SINK: of the whole, which must fit exactly */
    uint64_t upload_size;
    uint64_t connect_timeout_ms, stall_timeout_ms, total_timeout_ms; /* 0 = none */
    const char *proxy, *no_proxy;                                    /* as curl understands them; NULL = no proxy */
    const char *ca, *cert, *key;                                     /* PEM texts: one more authority, and what we show; NULL */
};

enum fetch_result {
    FETCH_OK,        /* there was an answer: look at the status */
    FETCH_RESOLVE,   /* no such host, or no name server answered */
    FETCH_REFUSED,   /* nobody listens there */
    FETCH_TIMEOUT,   /* no connection in time */
    FETCH_STALLED,   /* connected, but (nearly) nothing came for stall_timeout_ms */
    FETCH_NOT_TLS,   /* the TLS handshake failed; perhaps the other end speaks plain HTTP */
    FETCH_AUTHORITY, /* the certificate is not to be trusted: text says why */
    FETCH_STRANGER,  /* the server knows us not: it wants a certificate of the client's */
    FETCH_BROKEN,    /* the connection broke off, or the answer was no HTTP: may be tried again */
    FETCH_TOO_LARGE, /* headers or body beyond the bounds, or more bytes than announced */
    FETCH_ADDRESS,   /* the name leads to an address that was to be refused */
    FETCH_SINK_GONE, /* nobody reads what we write */
    FETCH_FAILED,    /* anything else */
    FETCH_RESULTS,
};

enum fetch_peer { FETCH_PEER_PUBLIC, FETCH_PEER_PRIVATE, FETCH_PEER_LINK_LOCAL, FETCH_PEER_LOOPBACK };

struct fetch_reply {
    uint64_t result;      /* enum fetch_result */
    const char *text;     /* what curl said, when result is not FETCH_OK */
    uint64_t status;      /* of HTTP */
    struct strs headers;  /* "name: value", names in lower case; only those that the engine reads */
    const char *redirect; /* the absolute address that a Location names; NULL */
    struct bytes body;
    uint64_t written; /* bytes that went into the sink */
    uint64_t peer;    /* enum fetch_peer; of the connection, so of a proxy where one is used */
};

void fetch_request_encode(const struct fetch_request *r, struct buf *out);
void fetch_reply_encode(const struct fetch_reply *r, struct buf *out);
/* -EBADMSG: not such a message. Strings live in the arena, `bytes` too. */
int fetch_request_decode(const void *p, size_t n, struct arena *a, struct fetch_request *ret);
int fetch_reply_decode(const void *p, size_t n, struct arena *a, struct fetch_reply *ret);

/* Sends and receives whole messages (without text: callers know what broke). `fd` -1 = none. fetch_receive: 0 at the end of the
 * stream, 1 with a message appended to `in`; *ret_fd is owned by the caller. */
int fetch_send(int sock, const struct buf *message, int fd);
int fetch_receive(int sock, struct buf *in, int *ret_fd);
