#include "image/fetch_wire.h"
#include "base/fd_message.h"

#include <string.h>
#include <sys/socket.h>

enum field_kind { FIELD_STR, FIELD_STRS, FIELD_U64, FIELD_BYTES };

struct wire_field {
    uint32_t id;
    enum field_kind kind;
    size_t offset;
};

struct field_header {
    uint32_t id, length;
};

#define STRINGS_MAX 256 /* of one list */

#define REQUEST(id_, member, kind_)                                                                                                \
    { .id = (id_), .kind = (kind_), .offset = offsetof(struct fetch_request, member) }
static const struct wire_field request_fields[] = {
    REQUEST(1, method, FIELD_STR),
    REQUEST(2, url, FIELD_STR),
    REQUEST(3, headers, FIELD_STRS),
    REQUEST(4, flags, FIELD_U64),
    REQUEST(5, body, FIELD_BYTES),
    REQUEST(6, body_max, FIELD_U64),
    REQUEST(7, offset, FIELD_U64),
    REQUEST(8, size, FIELD_U64),
    REQUEST(9, upload_size, FIELD_U64),
    REQUEST(10, connect_timeout_ms, FIELD_U64),
    REQUEST(11, stall_timeout_ms, FIELD_U64),
    REQUEST(12, total_timeout_ms, FIELD_U64),
    REQUEST(13, proxy, FIELD_STR),
    REQUEST(14, no_proxy, FIELD_STR),
    REQUEST(15, ca, FIELD_STR),
    REQUEST(16, cert, FIELD_STR),
    REQUEST(17, key, FIELD_STR),
};

#define REPLY(id_, member, kind_)                                                                                                  \
    { .id = (id_), .kind = (kind_), .offset = offsetof(struct fetch_reply, member) }
static const struct wire_field reply_fields[] = {
    REPLY(1, result, FIELD_U64),   REPLY(2, text, FIELD_STR),   REPLY(3, status, FIELD_U64),  REPLY(4, headers, FIELD_STRS),
    REPLY(5, redirect, FIELD_STR), REPLY(6, body, FIELD_BYTES), REPLY(7, written, FIELD_U64), REPLY(8, peer, FIELD_U64),
};

static void add_field(struct buf *out, uint32_t id, const void *p, size_t n) {
    struct field_header h = {id, (uint32_t)n};

    buf_add(out, &h, sizeof h);
    buf_add(out, p, n);
}

static void encode(const struct wire_field *fields, size_t count, const void *object, struct buf *out) {
    size_t start = out->size;
    uint32_t head[2] = {FETCH_WIRE_VERSION, 0};

    buf_add(out, head, sizeof head);
    for (size_t i = 0; i < count; i++) {
        const char *at = (const char *)object + fields[i].offset;
        const char *text;
        struct strs list;
        struct bytes bytes;

        switch (fields[i].kind) {
        case FIELD_STR:
            memcpy(&text, at, sizeof text);
            if (text)
                add_field(out, fields[i].id, text, strlen(text));
            break;
        case FIELD_STRS:
            memcpy(&list, at, sizeof list);
            for (size_t k = 0; k < list.n; k++)
                add_field(out, fields[i].id, list.v[k], strlen(list.v[k]));
            break;
        case FIELD_U64: add_field(out, fields[i].id, at, sizeof(uint64_t)); break;
        case FIELD_BYTES:
            memcpy(&bytes, at, sizeof bytes);
            if (bytes.n)
                add_field(out, fields[i].id, bytes.p, bytes.n);
            break;
        }
    }
    if (out->failed)
        return;
    head[1] = (uint32_t)(out->size - start - sizeof head);
    memcpy(out->data + start, head, sizeof head);
}

void fetch_request_encode(const struct fetch_request *r, struct buf *out) {
    encode(request_fields, ARRAY_SIZE(request_fields), r, out);
}

void fetch_reply_encode(const struct fetch_reply *r, struct buf *out) {
    encode(reply_fields, ARRAY_SIZE(reply_fields), r, out);
}

static int decode_field(const struct wire_field *f, const char *p, size_t n, struct arena *a, void *object) {
    char *at = (char *)object + f->offset;
    const char *text;
    struct strs list;

    switch (f->kind) {
    case FIELD_STR:
        if (memchr(p, 0, n))
            return -EBADMSG;
        text = arena_strndup(a, p, n);
        memcpy(at, &text, sizeof text);
        return 0;
    case FIELD_STRS:
        memcpy(&list, at, sizeof list);
        if (memchr(p, 0, n) || list.n == STRINGS_MAX)
            return -EBADMSG;
        strs_add(a, &list, arena_strndup(a, p, n));
        memcpy(at, &list, sizeof list);
        return 0;
    case FIELD_U64:
        if (n != sizeof(uint64_t))
            return -EBADMSG;
        memcpy(at, p, n);
        return 0;
    case FIELD_BYTES: memcpy(at, &(struct bytes){n ? arena_memdup(a, p, n) : "", n}, sizeof(struct bytes)); return 0;
    }
    return -EBADMSG;
}

static int decode(const struct wire_field *fields, size_t count, const void *message, size_t n, struct arena *a, void *object) {
    const char *p = message, *end = p + n;
    uint32_t head[2];

    if (n < sizeof head)
        return -EBADMSG;
    memcpy(head, p, sizeof head);
    if (head[0] != FETCH_WIRE_VERSION || head[1] != n - sizeof head)
        return -EBADMSG;
    for (p += sizeof head; p < end;) {
        const struct wire_field *f = NULL;
        struct field_header h;
        int r;

        if ((size_t)(end - p) < sizeof h)
            return -EBADMSG;
        memcpy(&h, p, sizeof h);
        p += sizeof h;
        for (size_t i = 0; i < count && !f; i++)
            f = fields[i].id == h.id ? &fields[i] : NULL;
        if (!f || h.length > (size_t)(end - p))
            return -EBADMSG;
        r = decode_field(f, p, h.length, a, object);
        if (r < 0)
            return r;
        p += h.length;
    }
    return 0;
}

int fetch_request_decode(const void *p, size_t n, struct arena *a, struct fetch_request *ret) {
    struct fetch_request request = {0};
    int r = decode(request_fields, ARRAY_SIZE(request_fields), p, n, a, &request);

    if (r < 0 || !request.method || !request.url)
        return r < 0 ? r : -EBADMSG;
    *ret = request;
    return 0;
}

int fetch_reply_decode(const void *p, size_t n, struct arena *a, struct fetch_reply *ret) {
    struct fetch_reply reply = {0};
    int r = decode(reply_fields, ARRAY_SIZE(reply_fields), p, n, a, &reply);

    if (r < 0 || reply.result >= FETCH_RESULTS || reply.status > 999 || reply.peer > FETCH_PEER_LOOPBACK)
        return r < 0 ? r : -EBADMSG;
    *ret = reply;
    return 0;
}

int fetch_send(int sock, const struct buf *message, int fd) {
    if (message->failed || message->size > FETCH_MESSAGE_MAX)
        return -EMSGSIZE;
    return fd_stream_send(sock, message->data, message->size, &fd, fd >= 0);
}

int fetch_receive(int sock, struct buf *in, int *ret_fd) {
    _cleanup_fd_ int fd = -1;
    uint32_t head[2];
    int r = fd_stream_receive(sock, head, sizeof head, &fd, 1);

    if (r <= 0)
        return r;
    if (head[0] != FETCH_WIRE_VERSION || head[1] > FETCH_MESSAGE_MAX)
        return -EBADMSG;
    buf_add(in, head, sizeof head);
    if (!buf_reserve(in, head[1] + 1))
        return -ENOMEM;
    if (head[1]) {
        r = fd_stream_receive(sock, in->data + in->size, head[1], NULL, 0);
        if (r <= 0)
            return r < 0 ? r : -EBADMSG;
    }
    in->size += head[1];
    in->data[in->size] = 0;
    if (ret_fd)
        *ret_fd = TAKE_FD(fd);
    return 1;
}
