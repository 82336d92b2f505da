/* ttrpc's frames, for the server and the sender of events. Source: PROTOCOL.md of ttrpc. */
#pragma once

#include "shim/shim.h"

#define TTRPC_HEADER 10

enum ttrpc_type { TTRPC_REQUEST = 1, TTRPC_RESPONSE = 2, TTRPC_DATA = 3 };

struct ttrpc_frame {
    uint32_t stream;
    unsigned type;
    size_t size;
    const char *data; /* in the buffer; dies with ttrpc_drop_frame() */
};

void ttrpc_add_frame(uint32_t stream, enum ttrpc_type type, const ProtobufCMessage *m, struct buf *out);
/* 1: a whole frame is at the front of `in`; 0: not yet; -EMSGSIZE. */
int ttrpc_take_frame(struct buf *in, struct ttrpc_frame *ret);
void ttrpc_drop_frame(struct buf *in, const struct ttrpc_frame *frame);
/* What there is, without waiting. -ECONNRESET at the end. */
int ttrpc_read(int fd, struct buf *in);
