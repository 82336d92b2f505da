#include "runtime/log_format.h"

#include <string.h>

#include "base/clock.h"

const char *log_file_name(enum log_driver driver, const char *id, char *room, size_t room_size) {
    /* What others keep is kept here, too, in the format of local: Docker's "dual logging". */
    static const char *const kinds[] = {
        [LOG_JSON_FILE] = "json", [LOG_LOCAL] = "local", [LOG_JOURNALD] = "cached", [LOG_SYSLOG] = "cached"};

    if (driver >= ARRAY_SIZE(kinds) || !kinds[driver])
        return NULL;
    (void)snprintf(room, room_size, "%s-%s.log", id, kinds[driver]);
    return room;
}

/* What encoding needs at a byte: 0 copy, 1 escape, 2 look whether it begins a UTF-8 character. */
static const unsigned char classes[256] = {
    [0 ... 0x1f] = 1, ['"'] = 1, ['\\'] = 1, ['<'] = 1, ['>'] = 1, ['&'] = 1, [0x80 ... 0xff] = 2};

static const char hex_digits[] = "0123456789abcdef";

/* Sixteen bytes at a time, by the compiler's vectors (SSE2, NEON): most output is plain text. Copies until the first block with a
 * byte of another class than 0; returns how much. There is room for a whole block behind p. */
typedef unsigned char block __attribute__((vector_size(16)));

static size_t copy_plain_blocks(char *p, const unsigned char *s, size_t n) {
    size_t i = 0;

    for (; i + sizeof(block) <= n; i += sizeof(block)) {
        block b;
        uint64_t special[2];

        memcpy(&b, s + i, sizeof(b));
        memcpy(p + i, &b, sizeof(b));
        b = (block)((b < 0x20) | (b > 0x7f) | (b == '"') | (b == '\\') | (b == '<') | (b == '>') | (b == '&'));
        memcpy(special, &b, sizeof(special));
        if (special[0] | special[1])
            break;
    }
    return i;
}

static char *put(char *p, const char *s, size_t n) {
    memcpy(p, s, n);
    return p + n;
}

static char *escape_byte(char *p, unsigned char c) {
    *p++ = '\\';
    switch (c) {
    case '"':
    case '\\': *p++ = (char)c; return p;
    case '\n': *p++ = 'n'; return p;
    case '\r': *p++ = 'r'; return p;
    default: break;
    }
    p = put(p, "u00", 3);
    *p++ = hex_digits[c >> 4];
    *p++ = hex_digits[c & 15];
    return p;
}

static char *escape(char *p, const unsigned char *s, size_t n) {
    size_t i = 0;

    while (i < n) {
        size_t length = copy_plain_blocks(p, s + i, n - i);

        p += length;
        i += length;
        while (i < n && classes[s[i]] == 0)
            *p++ = (char)s[i++];
        if (i == n)
            break;
        if (classes[s[i]] == 1) {
            p = escape_byte(p, s[i++]);
            continue;
        }
        length = utf8_length(s + i, n - i);
        if (length == 0) {
            p = put(p, "\\ufffd", 6);
            i++;
        } else if (length == 3 && s[i] == 0xe2 && s[i + 1] == 0x80 && (s[i + 2] & 0xfe) == 0xa8) {
            p = put(p, s[i + 2] == 0xa8 ? "\\u2028" : "\\u2029", 6); /* line ends in JavaScript */
            i += 3;
        } else {
            p = put(p, (const char *)s + i, length);
            i += length;
        }
    }
    return p;
}

#define PUT_TEXT(p, text) put((p), (text), sizeof(text) - 1)

char *log_json_encode(char *p, int stream, const char *time_text, const char *attrs, const void *data, size_t n) {
    p = PUT_TEXT(p, "{\"log\":\"");
    p = escape(p, data, n);
    p = stream == 2 ? PUT_TEXT(p, "\",\"stream\":\"stderr\"") : PUT_TEXT(p, "\",\"stream\":\"stdout\"");
    if (attrs) {
        p = PUT_TEXT(p, ",\"attrs\":");
        p = put(p, attrs, strlen(attrs));
    }
    p = PUT_TEXT(p, ",\"time\":\"");
    p = put(p, time_text, strlen(time_text));
    return PUT_TEXT(p, "\"}\n");
}

static char *put_le(char *p, uint64_t v, size_t n) {
    for (size_t i = 0; i < n; i++)
        *p++ = (char)(v >> (8 * i));
    return p;
}

static uint64_t get_le(const char *p, size_t n) {
    uint64_t v = 0;

    while (n--)
        v = v << 8 | (unsigned char)p[n];
    return v;
}

char *log_local_encode(char *p, int stream, struct timespec t, const void *data, size_t n) {
    p = put_le(p, n, 4);
    p = put_le(p, (uint64_t)stream, 4);
    p = put_le(p, (uint64_t)(t.tv_sec * NS_PER_SEC + t.tv_nsec), 8);
    p = put(p, data, n);
    return put_le(p, n, 4);
}

ssize_t log_local_decode(const char *p, size_t n, struct log_record *ret) {
    uint64_t size, ns;
    size_t whole;

    if (n < LOG_LOCAL_HEADER)
        return 0;
    size = get_le(p, 4);
    whole = LOG_LOCAL_HEADER + size + LOG_LOCAL_TRAILER;
    if (size > LOG_LINE_MAX + 1 || (p[4] != 1 && p[4] != 2))
        return -EINVAL;
    if (n < whole)
        return 0;
    if (get_le(p + LOG_LOCAL_HEADER + size, 4) != size)
        return -EINVAL;
    ns = get_le(p + 8, 8);
    *ret = (struct log_record){.stream = p[4], .data = p + LOG_LOCAL_HEADER, .size = size};
    ret->time = (struct timespec){.tv_sec = (time_t)(ns / NS_PER_SEC), .tv_nsec = (long)(ns % NS_PER_SEC)};
    return (ssize_t)whole;
}

ssize_t log_local_last(const char *p, size_t n) {
    struct log_record r;
    uint64_t size;
    size_t whole;

    if (n < LOG_LOCAL_TRAILER)
        return 0;
    size = get_le(p + n - LOG_LOCAL_TRAILER, 4);
    whole = LOG_LOCAL_HEADER + size + LOG_LOCAL_TRAILER;
    if (size > LOG_LINE_MAX + 1)
        return -EINVAL;
    if (n < whole)
        return 0;
    return log_local_decode(p + n - whole, whole, &r) == (ssize_t)whole ? (ssize_t)whole : -EINVAL;
}

static int hex4(const char *p) {
    int v = 0;

    for (int i = 0; i < 4; i++) {
        const char *d = p[i] ? strchr(hex_digits, p[i] | (p[i] >= 'A' && p[i] <= 'F' ? 0x20 : 0)) : NULL;

        if (!d)
            return -1;
        v = v << 4 | (int)(d - hex_digits);
    }
    return v;
}

static char *put_utf8(char *w, unsigned c) {
    if (c < 0x80) {
        *w++ = (char)c;
    } else if (c < 0x800) {
        *w++ = (char)(0xc0 | c >> 6);
        *w++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *w++ = (char)(0xe0 | c >> 12);
        *w++ = (char)(0x80 | (c >> 6 & 0x3f));
        *w++ = (char)(0x80 | (c & 0x3f));
    } else {
        *w++ = (char)(0xf0 | c >> 18);
        *w++ = (char)(0x80 | (c >> 12 & 0x3f));
        *w++ = (char)(0x80 | (c >> 6 & 0x3f));
        *w++ = (char)(0x80 | (c & 0x3f));
    }
    return w;
}

/* One \… sequence at p (behind the backslash), written to *w, which never overtakes p. Returns what it took; 0 when it is none. */
static size_t unescape_one(const char *p, size_t n, char **w) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *simple;
    int c, low;

    if (n < 1)
        return 0;
    simple = memchr(from, p[0], sizeof(from) - 1);
    if (simple) {
        *(*w)++ = to[simple - from];
        return 1;
    }
    if (p[0] != 'u' || n < 5)
        return 0;
    c = hex4(p + 1);
    if (c < 0)
        return 0;
    if (c >= 0xd800 && c < 0xdc00 && n >= 11 && p[5] == '\\' && p[6] == 'u') {
        low = hex4(p + 7);
        if (low >= 0xdc00 && low < 0xe000) {
            *w = put_utf8(*w, 0x10000u + ((unsigned)(c - 0xd800) << 10) + (unsigned)(low - 0xdc00));
            return 11;
        }
    }
    *w = put_utf8(*w, c >= 0xd800 && c < 0xe000 ? 0xfffdu : (unsigned)c);
    return 5;
}

/* The JSON string whose opening quote is at *at; unescaped in place. */
static int take_string(char *p, size_t n, size_t *at, char **ret, size_t *ret_size) {
    size_t i = *at + 1;
    char *w = p + i;

    *ret = w;
    while (i < n && p[i] != '"') {
        size_t run = i, took;

        while (run < n && p[run] != '"' && p[run] != '\\')
            run++;
        if (w != p + i)
            memmove(w, p + i, run - i);
        w += run - i;
        i = run;
        if (i >= n || p[i] == '"')
            break;
        took = unescape_one(p + i + 1, n - i - 1, &w);
        if (took == 0)
            return -EINVAL;
        i += 1 + took;
    }
    if (i >= n)
        return -EINVAL;
    *ret_size = (size_t)(w - *ret);
    *at = i + 1;
    return 0;
}

/* An object from its brace to the matching one, as text. */
static int take_object(char *p, size_t n, size_t *at, const char **ret, size_t *ret_size) {
    size_t depth = 0, i = *at;
    bool in_string = false;

    for (; i < n; i++) {
        if (in_string) {
            if (p[i] == '\\')
                i++;
            else if (p[i] == '"')
                in_string = false;
        } else if (p[i] == '"') {
            in_string = true;
        } else if (p[i] == '{') {
            depth++;
        } else if (p[i] == '}' && --depth == 0) {
            *ret = p + *at;
            *ret_size = i + 1 - *at;
            *at = i + 1;
            return 0;
        }
    }
    return -EINVAL;
}

static int take_member(char *p, size_t n, size_t *at, struct log_record *ret) {
    char *key, *value, time_text[TIME_TEXT_MAX];
    size_t key_size, value_size;

    if (*at >= n || p[*at] != '"' || take_string(p, n, at, &key, &key_size) < 0 || *at >= n || p[*at] != ':')
        return -EINVAL;
    (*at)++;
    if (*at < n && p[*at] == '{') {
        if (key_size == 5 && memcmp(key, "attrs", 5) == 0)
            return take_object(p, n, at, &ret->attrs, &ret->attrs_size);
        return -EINVAL;
    }
    if (*at >= n || p[*at] != '"' || take_string(p, n, at, &value, &value_size) < 0)
        return -EINVAL;
    if (key_size == 3 && memcmp(key, "log", 3) == 0) {
        ret->data = value;
        ret->size = value_size;
    } else if (key_size == 6 && memcmp(key, "stream", 6) == 0) {
        ret->stream = value_size == 6 && memcmp(value, "stderr", 6) == 0 ? 2 : 1;
    } else if (key_size == 4 && memcmp(key, "time", 4) == 0) {
        if (value_size >= sizeof(time_text))
            return -EINVAL;
        memcpy(time_text, value, value_size);
        time_text[value_size] = '\0';
        return time_parse(time_text, &ret->time);
    }
    return 0;
}

int log_json_decode(char *p, size_t n, struct log_record *ret) {
    struct log_record r = {.stream = 1};
    size_t at = 1;

    if (n < 2 || p[0] != '{' || p[n - 1] != '}')
        return -EINVAL;
    while (at < n - 1) {
        if (take_member(p, n - 1, &at, &r) < 0)
            return -EINVAL;
        if (at < n - 1 && p[at++] != ',')
            return -EINVAL;
    }
    if (!r.data)
        return -EINVAL;
    *ret = r;
    return 0;
}
