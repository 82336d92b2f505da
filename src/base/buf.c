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

size_t utf8_length(const void *text, size_t n) {
    const unsigned char *s = text;
    size_t length = s[0] < 0x80                   ? 1
                    : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
                    : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
                    : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                                  : 0;

    if (length == 0 || length > n)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return length;
}

bool utf8_is_control(const void *text, size_t length) {
    const unsigned char *s = text;

    return length == 1 ? s[0] < 0x20 || s[0] == 0x7f : length == 2 && s[0] == 0xc2 && s[1] < 0xa0;
}

void buf_add_visible(struct buf *b, const char *text, size_t n, const char *keep) {
    static const char named[] = "\t\n\r", letters[] = "tnr";

    for (size_t i = 0; i < n;) {
        size_t length = utf8_length(text + i, n - i);
        const char *found = text[i] ? strchr(named, text[i]) : NULL;

        if (length && (!utf8_is_control(text + i, length) || (text[i] && strchr(keep, text[i]))))
            buf_add(b, text + i, length);
        else if (found)
            buf_printf(b, "\\%c", letters[found - named]);
        else
            buf_printf(b, "\\x%02x", (unsigned char)text[i + (length == 2)]);
        i += length ? length : 1;
    }
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
