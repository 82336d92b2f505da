#include "base/toml.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include <json-c/json.h>

struct toml {
    const char *start, *p, *end; /* end points to a NUL */
    const char *file;
    struct json_object *root;
    struct json_object *table; /* that key = value lines go to; owned by root */
    unsigned depth;
    struct error *e;
};

#define KEY_PARTS_MAX 16

/* "a.b.c" */
struct key {
    char *parts[KEY_PARTS_MAX]; /* owned */
    size_t n;
};

static void key_release(struct key *k) {
    for (size_t i = 0; i < k->n; i++)
        free(k->parts[i]);
    k->n = 0;
}

static int parse_value(struct toml *t, struct json_object **ret);

static int _printf_(2, 3) fail(struct toml *t, const char *fmt, ...) {
    char text[160];
    unsigned line = 1;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    for (const char *q = t->start; q < t->p; q++)
        line += *q == '\n';
    return error_set(t->e, -EINVAL, "%s:%u: %s", t->file, line, text);
}

static void skip_blank(struct toml *t) {
    while (*t->p == ' ' || *t->p == '\t')
        t->p++;
}

static void skip_comment(struct toml *t) {
    skip_blank(t);
    if (*t->p == '#')
        t->p += strcspn(t->p, "\n");
}

static void skip_lines(struct toml *t) {
    for (;;) {
        skip_comment(t);
        if (*t->p == '\r' && t->p[1] == '\n')
            t->p++;
        if (*t->p != '\n')
            return;
        t->p++;
    }
}

static int end_of_line(struct toml *t) {
    skip_comment(t);
    if (*t->p == '\r' && t->p[1] == '\n')
        t->p++;
    if (*t->p && *t->p != '\n')
        return fail(t, "unexpected \"%.10s\" at the end of the line", t->p);
    return 0;
}

static void add_utf8(struct buf *out, unsigned long c) {
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    unsigned n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    if (n == 1) {
        buf_add_char(out, (char)c);
        return;
    }
    buf_add_char(out, (char)(lead[n] | (c >> (6 * (n - 1)))));
    while (--n)
        buf_add_char(out, (char)(0x80 | ((c >> (6 * (n - 1))) & 0x3f)));
}

static int parse_escape(struct toml *t, bool multi, struct buf *out) {
    static const char from[] = "btnfr\"\\e", to[] = "\b\t\n\f\r\"\\\033";
    const char *found = *t->p ? strchr(from, *t->p) : NULL;
    size_t digits = *t->p == 'u' ? 4 : *t->p == 'U' ? 8 : 0;
    char hex[9] = "";
    unsigned long c;

    if (found) {
        buf_add_char(out, to[found - from]);
        t->p++;
        return 0;
    }
    if (multi && strchr(" \t\r\n", *t->p) && *t->p) { /* a backslash at the end of a line swallows all blanks that follow */
        t->p += strspn(t->p, " \t\r\n");
        return 0;
    }
    if (!digits || strspn(t->p + 1, "0123456789abcdefABCDEF") < digits)
        return fail(t, "bad escape in a string");
    memcpy(hex, t->p + 1, digits);
    c = strtoul(hex, NULL, 16);
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return fail(t, "not a character: \\%c%s", *t->p, hex);
    t->p += digits + 1;
    add_utf8(out, c);
    return 0;
}

static int parse_string(struct toml *t, struct buf *out) {
    char quote = *t->p;
    bool multi = t->p[1] == quote && t->p[2] == quote;

    t->p += multi ? 3 : 1;
    if (multi && *t->p == '\r' && t->p[1] == '\n')
        t->p++;
    if (multi && *t->p == '\n')
        t->p++;
    for (;;) {
        char c = *t->p;
        int r;

        if (!c || (c == '\n' && !multi))
            return fail(t, "a string is not closed");
        if (c == quote && (!multi || (t->p[1] == quote && t->p[2] == quote && t->p[3] != quote))) {
            t->p += multi ? 3 : 1;
            return 0;
        }
        if ((unsigned char)c < 0x20 && c != '\t' && !(multi && (c == '\n' || c == '\r')))
            return fail(t, "a control character in a string");
        t->p++;
        if (c != '\\' || quote == '\'') {
            buf_add_char(out, c);
            continue;
        }
        r = parse_escape(t, multi, out);
        if (r < 0)
            return r;
    }
}

static int parse_key(struct toml *t, struct key *ret) {
    for (;;) {
        _cleanup_buf_ struct buf part = BUF_INIT;
        size_t bare;
        int r;

        skip_blank(t);
        bare = strspn(t->p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
        if (bare) {
            buf_add(&part, t->p, bare);
            t->p += bare;
        } else if (*t->p == '"' || *t->p == '\'') {
            if (t->p[1] == *t->p && t->p[2] == *t->p)
                return fail(t, "a key of several lines");
            r = parse_string(t, &part);
            if (r < 0)
                return r;
        } else {
            return fail(t, "a key was expected");
        }
        if (ret->n == KEY_PARTS_MAX)
            return fail(t, "a key of more than %d parts", KEY_PARTS_MAX);
        ret->parts[ret->n] = strdup(buf_text(&part));
        if (!ret->parts[ret->n++])
            abort();
        skip_blank(t);
        if (*t->p != '.')
            return 0;
        t->p++;
    }
}

/* The table below `from` that the first n parts name, made where missing; of an array of tables, the last. */
static int descend(struct toml *t, struct json_object *from, const struct key *k, size_t n, struct json_object **ret) {
    for (size_t i = 0; i < n; i++) {
        struct json_object *next;

        if (!json_object_object_get_ex(from, k->parts[i], &next)) {
            next = json_object_new_object();
            json_object_object_add(from, k->parts[i], next);
        }
        if (json_object_is_type(next, json_type_array) && json_object_array_length(next))
            next = json_object_array_get_idx(next, json_object_array_length(next) - 1);
        if (!json_object_is_type(next, json_type_object))
            return fail(t, "%s is not a table", k->parts[i]);
        from = next;
    }
    *ret = from;
    return 0;
}

static int parse_pair(struct toml *t, struct json_object *into) {
    _cleanup_(key_release) struct key k = {0};
    struct json_object *table = NULL, *value = NULL;
    int r = parse_key(t, &k);

    if (r < 0)
        return r;
    if (*t->p++ != '=') {
        t->p--;
        return fail(t, "\"=\" expected after the key %s", k.parts[0]);
    }
    skip_blank(t);
    r = parse_value(t, &value);
    if (r >= 0)
        r = descend(t, into, &k, k.n - 1, &table);
    if (r >= 0 && json_object_object_get_ex(table, k.parts[k.n - 1], NULL))
        r = fail(t, "%s is set twice", k.parts[k.n - 1]);
    if (r < 0) {
        json_object_put(value);
        return r;
    }
    json_object_object_add(table, k.parts[k.n - 1], value);
    return 0;
}

static int parse_inline_table(struct toml *t, struct json_object *into) {
    t->p++;
    skip_blank(t);
    if (*t->p == '}') {
        t->p++;
        return 0;
    }
    for (;;) {
        int r = parse_pair(t, into);

        if (r < 0)
            return r;
        skip_blank(t);
        if (*t->p == '}') {
            t->p++;
            return 0;
        }
        if (*t->p++ != ',')
            return fail(t, "\",\" or \"}\" expected in an inline table");
    }
}

static int parse_array(struct toml *t, struct json_object *into) {
    t->p++;
    for (;;) {
        struct json_object *value = NULL;
        int r;

        skip_lines(t);
        if (*t->p == ']') {
            t->p++;
            return 0;
        }
        r = parse_value(t, &value);
        if (r < 0) {
            json_object_put(value);
            return r;
        }
        json_object_array_add(into, value);
        skip_lines(t);
        if (*t->p == ',')
            t->p++;
        else if (*t->p != ']')
            return fail(t, "\",\" or \"]\" expected in an array");
    }
}

static int parse_number(struct toml *t, struct json_object **ret) {
    char digits[64] = "", *w = digits, *end;
    size_t n = strspn(t->p, "0123456789abcdefABCDEFox+-._:TZinf");
    int base = 10;

    if (!n || n >= sizeof digits)
        return fail(t, "a value was expected");
    for (size_t i = 0; i < n; i++)
        if (t->p[i] != '_')
            *w++ = t->p[i];
    *w = 0;
    if (strchr(digits, ':') || (strlen(digits) >= 10 && digits[4] == '-' && digits[7] == '-')) { /* a date or a time */
        *ret = json_object_new_string(digits);
        t->p += n;
        return 0;
    }
    if (digits[0] == '0' && digits[1] && strchr("xob", digits[1]))
        base = digits[1] == 'x' ? 16 : digits[1] == 'o' ? 8 : 2;
    errno = 0;
    *ret = json_object_new_int64(strtoll(base == 10 ? digits : digits + 2, &end, base));
    if (*end || errno) {
        double d = strtod(digits, &end);

        json_object_put(*ret);
        *ret = NULL;
        if (*end || !isfinite(d) || base != 10)
            return fail(t, "not a number: %s", digits);
        *ret = json_object_new_double(d);
    }
    t->p += n;
    return 0;
}

static bool eat_word(struct toml *t, const char *word) {
    size_t n = strlen(word);

    if (strncmp(t->p, word, n) || isalnum((unsigned char)t->p[n]))
        return false;
    t->p += n;
    return true;
}

/* *ret is owned by the caller also on failure (it may hold a part). */
static int parse_value(struct toml *t, struct json_object **ret) {
    int r;

    if (++t->depth > TOML_DEPTH_MAX)
        return fail(t, "nested too deep");
    if (*t->p == '"' || *t->p == '\'') {
        _cleanup_buf_ struct buf text = BUF_INIT;

        r = parse_string(t, &text);
        if (r >= 0)
            *ret = json_object_new_string_len(buf_text(&text), (int)text.size);
    } else if (*t->p == '[') {
        *ret = json_object_new_array();
        r = parse_array(t, *ret);
    } else if (*t->p == '{') {
        *ret = json_object_new_object();
        r = parse_inline_table(t, *ret);
    } else if (eat_word(t, "true")) {
        *ret = json_object_new_boolean(true);
        r = 0;
    } else if (eat_word(t, "false")) {
        *ret = json_object_new_boolean(false);
        r = 0;
    } else {
        r = parse_number(t, ret);
    }
    t->depth--;
    return r;
}

/* "[a.b]" or "[[a.b]]": sets the table that the next lines fill. */
static int parse_header(struct toml *t) {
    _cleanup_(key_release) struct key k = {0};
    bool array = t->p[1] == '[';
    struct json_object *parent, *list;
    int r;

    t->p += array ? 2 : 1;
    r = parse_key(t, &k);
    if (r < 0)
        return r;
    if (*t->p != ']' || (array && t->p[1] != ']'))
        return fail(t, "\"]\" expected");
    t->p += array ? 2 : 1;
    if (!array)
        return descend(t, t->root, &k, k.n, &t->table);
    r = descend(t, t->root, &k, k.n - 1, &parent);
    if (r < 0)
        return r;
    if (!json_object_object_get_ex(parent, k.parts[k.n - 1], &list)) {
        list = json_object_new_array();
        json_object_object_add(parent, k.parts[k.n - 1], list);
    }
    if (!json_object_is_type(list, json_type_array))
        return fail(t, "%s is not an array of tables", k.parts[k.n - 1]);
    t->table = json_object_new_object();
    json_object_array_add(list, t->table);
    return 0;
}

static int parse_document(struct toml *t) {
    for (;;) {
        int r;

        skip_lines(t);
        if (t->p >= t->end)
            return 0;
        if (!*t->p)
            return fail(t, "a NUL byte");
        r = *t->p == '[' ? parse_header(t) : parse_pair(t, t->table);
        if (r >= 0)
            r = end_of_line(t);
        if (r < 0)
            return r;
    }
}

int toml_to_json(const char *text, size_t n, const char *file, struct buf *ret, struct error *e) {
    _cleanup_free_ char *copy = strndup(text, n);
    struct toml t = {.file = file, .e = e};
    int r;

    if (!copy)
        return error_errno(e, -ENOMEM, "read %s", file);
    t.start = t.p = copy;
    t.end = copy + strlen(copy);
    if ((size_t)(t.end - copy) != n)
        return error_set(e, -EINVAL, "%s: holds a NUL byte", file);
    t.root = t.table = json_object_new_object();
    r = parse_document(&t);
    if (r >= 0)
        buf_add_str(ret, json_object_to_json_string_ext(t.root, JSON_C_TO_STRING_PLAIN));
    json_object_put(t.root);
    return r;
}
