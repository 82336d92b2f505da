#include "base/buf.h"

#include <stdarg.h>
#include <string.h>

bool buf_reserve(struct buf *b, size_t more) {
    size_t max = b->max ? b->max : BUF_MAX_DEFAULT;
    size_t need, room;
    char *bigger;

    if (b->failed || more > max || b->size > max - more) {
        b->failed = true;
        return false;
    }
    need = b->size + more + 1;
    if (need <= b->room)
        return true;
    room = MAX_OF(b->room * 2, (size_t)64);
    room = MAX_OF(room, need);
    bigger = realloc(b->data, room);
    if (!bigger)
        abort();
    b->data = bigger;
    b->room = room;
    return true;
}

void buf_add(struct buf *b, const void *p, size_t n) {
    if (!buf_reserve(b, n))
        return;
    if (n)
        memcpy(b->data + b->size, p, n);
    b->size += n;
    b->data[b->size] = '\0';
}

void buf_add_str(struct buf *b, const char *s) {
    buf_add(b, s, strlen(s));
}

void buf_add_char(struct buf *b, char c) {
    buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...) {
    va_list ap, again;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = true;
    } else if (buf_reserve(b, (size_t)n)) {
        (void)vsnprintf(b->data + b->size, (size_t)n + 1, fmt, again);
        b->size += (size_t)n;
    }
    va_end(again);
}

void buf_consume(struct buf *b, size_t n) {
    if (n >= b->size) {
        buf_clear(b);
        return;
    }
    memmove(b->data, b->data + n, b->size - n + 1);
    b->size -= n;
}

void buf_clear(struct buf *b) {
    b->size = 0;
    if (b->data)
        b->data[0] = '\0';
}

const char *buf_text(const struct buf *b) {
    return b->data ? b->data : "";
}

char *buf_steal(struct buf *b) {
    char *text;

    if (!buf_reserve(b, 0))
        return NULL;
    b->data[b->size] = '\0';
    text = b->data;
    *b = (struct buf){.max = b->max};
    return text;
}

void buf_release(struct buf *b) {
    free(b->data);
    *b = (struct buf){.max = b->max};
}
