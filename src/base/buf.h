/* A byte buffer that grows, with a cap. `data` is always NUL-terminated once anything was added, so a buffer of text can be used
 * as a string; `size` does not count that NUL.
 *
 * Additions that would pass `max` set `failed` and change nothing more: callers add freely and look once, at the end. */
#pragma once

#include "base/cleanup.h"

#define BUF_MAX_DEFAULT ((size_t)64 << 20)

struct buf {
    char *data;  /* owned; NULL while empty */
    size_t size; /* bytes used */
    size_t room; /* bytes allocated */
    size_t max;  /* cap in bytes; 0 = BUF_MAX_DEFAULT */
    bool failed; /* an addition did not fit */
};

#define BUF_INIT                                                                                                                   \
    { 0 }
#define BUF_WITH_MAX(m)                                                                                                            \
    { .max = (m) }
#define _cleanup_buf_ _cleanup_(buf_release)

bool buf_reserve(struct buf *b, size_t more); /* room for `more` bytes behind size; false past the cap */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_str(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) _printf_(2, 3);
/* Text of others for a person to read: control characters, which a terminal would obey, and what is no UTF-8 become "\n", "\x1b";
 * but those in `keep` stay. */
void buf_add_visible(struct buf *b, const char *text, size_t n, const char *keep);
void buf_consume(struct buf *b, size_t n); /* drops n bytes at the front */
void buf_clear(struct buf *b);             /* size = 0; keeps the memory */
const char *buf_text(const struct buf *b); /* "" when empty */
char *buf_steal(struct buf *b);            /* the caller owns the text; the buffer is empty afterwards */
void buf_release(struct buf *b);

/* Bytes of the UTF-8 sequence that begins the n bytes at `text`; 0 = it is none. */
size_t utf8_length(const void *text, size_t n);
bool utf8_is_control(const void *text, size_t length); /* U+0000 to U+001F, U+007F to U+009F */
