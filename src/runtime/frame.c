#include "runtime/frame.h"
#include "base/fd_message.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

static void put_u32(unsigned char *p, uint32_t v) {
    p[0] = (unsigned char)(v >> 24);
    p[1] = (unsigned char)(v >> 16);
    p[2] = (unsigned char)(v >> 8);
    p[3] = (unsigned char)v;
}

static uint32_t get_u32(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void frame_header(unsigned char header[FRAME_HEADER_SIZE], uint8_t type, size_t size) {
    header[0] = type;
    header[1] = header[2] = header[3] = 0;
    put_u32(header + 4, (uint32_t)size);
}

void frame_add(struct buf *b, uint8_t type, const void *p, size_t n) {
    unsigned char header[FRAME_HEADER_SIZE];

    frame_header(header, type, n);
    buf_add(b, header, sizeof(header));
    if (n)
        buf_add(b, p, n);
}

void frame_add_u32s(struct buf *b, uint8_t type, const uint32_t *v, size_t n) {
    unsigned char number[4], header[FRAME_HEADER_SIZE];

    frame_header(header, type, n * sizeof(number));
    buf_add(b, header, sizeof(header));
    for (size_t i = 0; i < n; i++) {
        put_u32(number, v[i]);
        buf_add(b, number, sizeof(number));
    }
}

void frame_add_error(struct buf *b, int code, const struct error *e) {
    _cleanup_buf_ struct buf payload = BUF_INIT;
    const char *text = e && e->text ? e->text : errno_text(code), *hint = e && e->hint ? e->hint : "";
    unsigned char number[8];

    put_u32(number, (uint32_t)code);
    put_u32(number + 4, e ? (uint32_t)e->status : 0);
    buf_add(&payload, number, sizeof(number));
    buf_add(&payload, text, strlen(text) + 1);
    buf_add(&payload, hint, strlen(hint) + 1);
    frame_add(b, FRAME_ERROR, payload.data, payload.size);
}

ssize_t frame_parse(const void *p, size_t n, struct frame *ret) {
    const unsigned char *bytes = p;
    uint32_t size;

    if (n < FRAME_HEADER_SIZE)
        return 0;
    size = get_u32(bytes + 4);
    if (bytes[1] || bytes[2] || bytes[3] || size > FRAME_PAYLOAD_MAX)
        return -EPROTO;
    if (n - FRAME_HEADER_SIZE < size)
        return 0;
    *ret = (struct frame){.type = bytes[0], .size = size, .data = bytes + FRAME_HEADER_SIZE};
    return (ssize_t)(FRAME_HEADER_SIZE + size);
}

uint32_t frame_u32(const struct frame *f, size_t i, uint32_t missing) {
    return f->size >= (i + 1) * 4 ? get_u32(f->data + i * 4) : missing;
}

int frame_error(const struct frame *f, struct error *e) {
    int code = (int)frame_u32(f, 0, 0);
    const char *text = (const char *)f->data + 8, *end = (const char *)f->data + f->size, *hint;

    if (code >= 0)
        code = -EPROTO;
    if (f->size < 10 || end[-1] != '\0')
        return error_set(e, code, "%s", errno_text(code));
    hint = text + strlen(text) + 1;
    error_set(e, code, "%s", text);
    if (hint < end && *hint)
        error_hint(e, "%s", hint);
    if (frame_u32(f, 1, 0))
        error_status(e, (int)frame_u32(f, 1, 0));
    return code;
}

int frame_send(int fd, const struct buf *b, const int *fds, size_t n_fds) {
    return b->failed ? -E2BIG : fd_stream_send(fd, b->data, b->size, fds, n_fds);
}

int frame_receive(int fd, struct buf *b, struct frame *ret, int *fds, size_t n_fds_max) {
    unsigned char header[FRAME_HEADER_SIZE];
    uint32_t size;
    int r;

    for (size_t i = 0; i < n_fds_max; i++)
        fds[i] = -1;
    buf_clear(b);
    r = fd_stream_receive(fd, header, sizeof(header), fds, n_fds_max);
    if (r <= 0)
        return r < 0 ? r : -ECONNRESET;
    size = get_u32(header + 4);
    if (header[1] || header[2] || header[3] || size > FRAME_PAYLOAD_MAX)
        return -EPROTO;
    if (!buf_reserve(b, size + 1))
        return -ENOMEM;
    r = fd_stream_receive(fd, b->data, size, NULL, 0);
    if (r <= 0)
        return r < 0 ? r : -ECONNRESET;
    b->size = size;
    b->data[size] = '\0';
    *ret = (struct frame){.type = header[0], .size = size, .data = (const unsigned char *)b->data};
    return 0;
}
