/* Messages between tare's processes: an 8-byte header as in Docker's multiplexed streams (type, three zero bytes, big-endian
 * length), so that output can be passed on to an API client unchanged. Types below 16 are Docker's streams; the others are ours.
 * Both sides begin with FRAME_HELLO; a type that a side does not know is answered with FRAME_ERROR (-ENOSYS) and otherwise ignored,
 * so that an older monitor stays usable after an upgrade. */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#define FRAME_VERSION      1
#define FRAME_HEADER_SIZE  8
#define FRAME_PAYLOAD_MAX  ((uint32_t)8 << 20) /* larger is an error of protocol */
#define FRAME_STDIN_WINDOW ((size_t)64 << 10)  /* bytes of stdin that may be on their way unacknowledged */

enum frame_type {
    FRAME_STDIN = 0, /* client → monitor; stdout, stderr: monitor → client */
    FRAME_STDOUT = 1,
    FRAME_STDERR = 2,
    FRAME_HELLO = 16,     /* u32 version */
    FRAME_OK = 17,        /* request done; u32 values by request */
    FRAME_ERROR = 18,     /* i32 code, u32 status, text NUL hint NUL */
    FRAME_LAUNCH = 19,    /* the launch description, descriptors beside it */
    FRAME_STARTED = 20,   /* u32 pid */
    FRAME_EXIT = 21,      /* u32 exit code, u32 flags FRAME_EXIT_… */
    FRAME_ATTACH = 22,    /* u32 streams (1 in, 2 out, 4 err), u32 rows, u32 cols */
    FRAME_STDIN_EOF = 23, /* no more input */
    FRAME_STDIN_ACK = 24, /* u32 bytes of stdin taken (written or dropped) */
    FRAME_RESIZE = 25,    /* u32 rows, u32 cols */
    FRAME_SIGNAL = 26,    /* u32 signal */
    FRAME_STOP = 27,      /* u32 signal (0 = the container's), i32 seconds (-1 = never, INT32_MIN = the container's) */
    FRAME_RESTART = 28,   /* as FRAME_STOP */
    FRAME_PAUSE = 29,     /* u32 1 pause, 0 thaw */
    FRAME_WAIT = 30,      /* u32 enum wait_condition */
    FRAME_POLICY = 31,    /* u32 enum restart_policy, u32 max */
    FRAME_BROKEN = 32,    /* u32 stream: the client's own stdout (1) or stderr (2) has no reader any more */
    FRAME_DROPPED = 33,   /* u32 bytes that this slow client missed */
    FRAME_NAMES = 34,     /* the container has come to have a resolver: open it */
    FRAME_SETTLE = 35,    /* the launch description is to be the file's from now on */
    FRAME_SOCKETS = 37,   /* behind FRAME_LAUNCH: sockets of published ports, beside it */
    FRAME_PORTS = 36,     /* the records of its published ports are others: tare-net is to begin anew */
    FRAME_NAME = 37,      /* the container has another name: it stands in the launch description's file */
};
#define FRAME_EXIT_OOM     1u
#define FRAME_EXIT_UNKNOWN 2u

void frame_header(unsigned char header[FRAME_HEADER_SIZE], uint8_t type, size_t size);
/* Adds a frame whose payload is `n` 32-bit numbers (big-endian). */
void frame_add_u32s(struct buf *b, uint8_t type, const uint32_t *v, size_t n);
void frame_add(struct buf *b, uint8_t type, const void *p, size_t n);
void frame_add_error(struct buf *b, int code, const struct error *e);

struct frame {
    uint8_t type;
    uint32_t size;
    const unsigned char *data; /* borrowed from the buffer */
};
/* The first whole frame in p[0..n). Returns the bytes it takes, 0 when it is not yet whole, -EPROTO when it cannot be one. */
ssize_t frame_parse(const void *p, size_t n, struct frame *ret);
/* The i-th 32-bit number of the payload, `missing` when it is too short (an older peer). */
uint32_t frame_u32(const struct frame *f, size_t i, uint32_t missing);
/* Turns a FRAME_ERROR into an error; returns its code. */
int frame_error(const struct frame *f, struct error *e);

/* Blocking send of the whole buffer (MSG_NOSIGNAL) with descriptors beside its first byte. Negative errno. */
int frame_send(int fd, const struct buf *b, const int *fds, size_t n_fds);
/* Blocking receive of one frame into b (cleared first). `fds` takes up to n_fds_max descriptors (-1 when none; owned by the
 * caller). -ECONNRESET at end of stream. */
int frame_receive(int fd, struct buf *b, struct frame *ret, int *fds, size_t n_fds_max);
