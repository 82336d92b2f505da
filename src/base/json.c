#include "base/json.h"

#include <ctype.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#define JSON_DEPTH_MAX 64

#define JSON_PATH_MAX 256 /* of the path in a message; a longer one loses its end */

struct decoder {
    struct arena *arena;
    struct error *e;
    char path[JSON_PATH_MAX]; /* where the error is, built from the inside out while the decoder returns */
};

static int decode_object(struct decoder *d, const struct json_table *type, struct json_object *o, void *object);
static void encode_object(const struct json_table *type, const void *object, unsigned indent, unsigned level, struct buf *out);

static void tokener_freep(struct json_tokener **t) {
    if (*t)
        json_tokener_free(*t);
}

static void json_putp(struct json_object **o) {
    if (*o)
        json_object_put(*o);
}

/* --- decoding ------------------------------------------------------------------------------------------------------------- */

static const char *kind_text(struct json_object *o) {
    switch (json_object_get_type(o)) {
    case json_type_null: return "null";
    case json_type_boolean: return "a boolean";
    case json_type_double: return "a number with a fraction";
    case json_type_int: return "a number";
    case json_type_object: return "an object";
    case json_type_array: return "a list";
    case json_type_string: return "a string";
    }
    return "something else";
}

static int wrong(struct decoder *d, const char *wanted, struct json_object *o) {
    return error_set(d->e, -EINVAL, "expected %s, found %s", wanted, kind_text(o));
}

static int expect(struct decoder *d, struct json_object *o, enum json_type type, const char *wanted) {
    return json_object_is_type(o, type) ? 0 : wrong(d, wanted, o);
}

static int decode_integer(struct decoder *d, struct json_object *o, int64_t min, uint64_t max, int64_t *ret_i, uint64_t *ret_u) {
    const char *text;
    char *end;

    if (!json_object_is_type(o, json_type_int))
        return wrong(d, "a whole number", o);
    text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
    errno = 0;
    if (text[0] == '-') {
        intmax_t v = strtoimax(text, &end, 10);

        if (errno || v < min)
            return error_set(d->e, -EINVAL, "%s is out of range (smallest: %" PRId64 ")", text, min);
        *ret_i = v;
        *ret_u = 0;
    } else {
        uintmax_t v = strtoumax(text, &end, 10);

        if (errno || v > max)
            return error_set(d->e, -EINVAL, "%s is out of range (largest: %" PRIu64 ")", text, max);
        *ret_u = v;
        *ret_i = (int64_t)v;
    }
    return 0;
}

static int decode_string(struct decoder *d, struct json_object *o, const char **ret) {
    int r = expect(d, o, json_type_string, "a string");
    const char *text;
    size_t n;

    if (r < 0)
        return r;
    text = json_object_get_string(o);
    n = (size_t)json_object_get_string_len(o);
    if (memchr(text, '\0', n))
        return error_set(d->e, -EINVAL, "the string holds a NUL character");
    *ret = arena_strndup(d->arena, text, n);
    return 0;
}

/* Puts one more step in front of the error's path: "uid" -> "user.uid" -> "process.user.uid"; "[2]" -> "mounts[2]". */
static int at_name(struct decoder *d, int r, const char *name) {
    char inner[JSON_PATH_MAX];

    memcpy(inner, d->path, sizeof(inner));
    (void)snprintf(d->path, sizeof(d->path), "%s%s%s", name, inner[0] == '\0' || inner[0] == '[' ? "" : ".", inner);
    return r;
}

static int at_index(struct decoder *d, int r, size_t i) {
    char name[32];

    (void)snprintf(name, sizeof(name), "[%zu]", i);
    return at_name(d, r, name);
}

static int decode_strs(struct decoder *d, struct json_object *o, struct strs *ret) {
    int r = expect(d, o, json_type_array, "a list of strings");
    size_t n = r < 0 ? 0 : json_object_array_length(o);

    if (r < 0)
        return r;
    ret->v = arena_array(d->arena, const char *, list_room(n));
    ret->n = n;
    for (size_t i = 0; i < n; i++) {
        r = decode_string(d, json_object_array_get_idx(o, i), &ret->v[i]);
        if (r < 0)
            return at_index(d, r, i);
    }
    return 0;
}

static int decode_u32s(struct decoder *d, struct json_object *o, struct list *ret) {
    int r = expect(d, o, json_type_array, "a list of numbers");
    size_t n = r < 0 ? 0 : json_object_array_length(o);
    uint32_t *v;

    if (r < 0)
        return r;
    v = arena_array(d->arena, uint32_t, list_room(n));
    for (size_t i = 0; i < n; i++) {
        int64_t s;
        uint64_t u;

        r = decode_integer(d, json_object_array_get_idx(o, i), 0, UINT32_MAX, &s, &u);
        if (r < 0)
            return at_index(d, r, i);
        v[i] = (uint32_t)u;
    }
    *ret = (struct list){v, n};
    return 0;
}

static int decode_objs(struct decoder *d, const struct json_table *type, struct json_object *o, struct list *ret) {
    int r = expect(d, o, json_type_array, "a list of objects");
    size_t n = r < 0 ? 0 : json_object_array_length(o);
    unsigned char *v;

    if (r < 0)
        return r;
    v = arena_alloc(d->arena, type->size * list_room(n));
    for (size_t i = 0; i < n; i++) {
        r = decode_object(d, type, json_object_array_get_idx(o, i), v + i * type->size);
        if (r < 0)
            return at_index(d, r, i);
    }
    *ret = (struct list){v, n};
    return 0;
}

static int decode_map(struct decoder *d, struct json_object *o, struct map *ret) {
    int r = expect(d, o, json_type_object, "an object of strings");
    size_t n = r < 0 ? 0 : (size_t)json_object_object_length(o);

    if (r < 0)
        return r;
    ret->v = arena_array(d->arena, struct pair, list_room(n));
    ret->n = 0;
    json_object_object_foreach(o, key, value) {
        struct pair *pair = &ret->v[ret->n];

        pair->key = arena_strdup(d->arena, key);
        r = decode_string(d, value, &pair->value);
        if (r < 0)
            return at_name(d, r, key);
        ret->n++;
    }
    return 0;
}

static int decode_keys(struct decoder *d, struct json_object *o, struct strs *ret) {
    int r = expect(d, o, json_type_object, "an object");

    if (r < 0)
        return r;
    ret->v = arena_array(d->arena, const char *, list_room((size_t)json_object_object_length(o)));
    ret->n = 0;
    json_object_object_foreach(o, key, value) {
        (void)value;
        ret->v[ret->n++] = arena_strdup(d->arena, key);
    }
    return 0;
}

static int decode_obj_map(struct decoder *d, const struct json_table *type, struct json_object *o, struct list *ret) {
    int r = expect(d, o, json_type_object, "an object of objects");
    unsigned char *v;

    if (r < 0)
        return r;
    v = arena_alloc(d->arena, type->size * list_room((size_t)json_object_object_length(o)));
    *ret = (struct list){v, 0};
    json_object_object_foreach(o, key, value) {
        void *item = v + ret->n * type->size;

        if (value) {
            r = decode_object(d, type, value, item);
            if (r < 0)
                return at_name(d, r, key);
        }
        *(const char **)item = arena_strdup(d->arena, key);
        ret->n++;
    }
    return 0;
}

static int decode_obj_lists(struct decoder *d, const struct json_table *type, struct json_object *o, struct list *ret) {
    int r = expect(d, o, json_type_object, "an object of lists");

    if (r < 0)
        return r;
    struct json_objs *v = arena_array(d->arena, struct json_objs, list_room((size_t)json_object_object_length(o)));
    *ret = (struct list){v, 0};
    json_object_object_foreach(o, key, value) {
        r = value ? decode_objs(d, type, value, &v[ret->n].items) : 0;
        if (r < 0)
            return at_name(d, r, key);
        v[ret->n++].key = arena_strdup(d->arena, key);
    }
    return 0;
}

static int decode_number(struct decoder *d, const struct json_field *f, struct json_object *o, void *at) {
    static const struct {
        int64_t min;
        uint64_t max;
    } range[] = {
        [JSON_I32] = {INT32_MIN, INT32_MAX},     [JSON_U32] = {0, UINT32_MAX},
        [JSON_I64] = {INT64_MIN, INT64_MAX},     [JSON_U64] = {0, UINT64_MAX},
        [JSON_OPT_I64] = {INT64_MIN, INT64_MAX}, [JSON_OPT_U64] = {0, UINT64_MAX},
    };
    int64_t s;
    uint64_t u;
    int r = decode_integer(d, o, range[f->kind].min, range[f->kind].max, &s, &u);

    if (r < 0)
        return r;
    switch (f->kind) {
    case JSON_I32: *(int32_t *)at = (int32_t)s; break;
    case JSON_U32: *(uint32_t *)at = (uint32_t)u; break;
    case JSON_I64: *(int64_t *)at = s; break;
    case JSON_U64: *(uint64_t *)at = u; break;
    case JSON_OPT_I64: *(struct opt_i64 *)at = (struct opt_i64){true, s}; break;
    case JSON_OPT_U64: *(struct opt_u64 *)at = (struct opt_u64){true, u}; break;
    default: break;
    }
    return 0;
}

static int decode_value(struct decoder *d, const struct json_field *f, struct json_object *o, void *at) {
    int r;

    switch ((enum json_kind)f->kind) {
    case JSON_STR: return decode_string(d, o, at);
    case JSON_BOOL:
    case JSON_OPT_BOOL:
        r = expect(d, o, json_type_boolean, "true or false");
        if (r < 0)
            return r;
        if (f->kind == JSON_BOOL)
            *(bool *)at = json_object_get_boolean(o);
        else
            *(struct opt_bool *)at = (struct opt_bool){true, json_object_get_boolean(o)};
        return 0;
    case JSON_I32:
    case JSON_U32:
    case JSON_I64:
    case JSON_U64:
    case JSON_OPT_I64:
    case JSON_OPT_U64: return decode_number(d, f, o, at);
    case JSON_F64:
        if (!json_object_is_type(o, json_type_double) && !json_object_is_type(o, json_type_int))
            return wrong(d, "a number", o);
        *(double *)at = json_object_get_double(o);
        return 0;
    case JSON_STRS: return decode_strs(d, o, at);
    case JSON_U32S: return decode_u32s(d, o, at);
    case JSON_MAP: return decode_map(d, o, at);
    case JSON_KEYS: return decode_keys(d, o, at);
    case JSON_OBJ: return decode_object(d, f->type, o, at);
    case JSON_OBJ_PTR: {
        void *object = arena_alloc(d->arena, f->type->size);

        *(void **)at = object;
        return decode_object(d, f->type, o, object);
    }
    case JSON_OBJS: return decode_objs(d, f->type, o, at);
    case JSON_OBJ_MAP: return decode_obj_map(d, f->type, o, at);
    case JSON_OBJ_LISTS: return decode_obj_lists(d, f->type, o, at);
    case JSON_RAW: *(const char **)at = arena_strdup(d->arena, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN)); return 0;
    }
    return error_set(d->e, -EINVAL, "unknown kind of field");
}

static int decode_field(struct decoder *d, const struct json_field *f, struct json_object *o, void *object) {
    struct json_object *value = NULL;
    void *at = (unsigned char *)object + f->offset;
    int r;

    if (!json_object_object_get_ex(o, f->name, &value) || !value) {
        if (!(f->flags & JSON_REQUIRED))
            return 0;
        r = error_set(d->e, -EINVAL, "required, but missing");
    } else {
        r = decode_value(d, f, value, at);
        if (r == 0 && f->check)
            r = f->check(at, d->e);
    }
    return r < 0 ? at_name(d, r, f->name) : 0;
}

static int decode_object(struct decoder *d, const struct json_table *type, struct json_object *o, void *object) {
    int r = expect(d, o, json_type_object, "an object");

    if (r < 0)
        return r;
    memset(object, 0, type->size);
    for (const struct json_field *f = type->fields; f->name; f++) {
        r = decode_field(d, f, o, object);
        if (r < 0)
            return r;
    }
    return type->check ? type->check(object, d->e) : 0;
}

/* json-c clamps whole numbers that do not fit 64 bits instead of refusing them, so they are looked for in the text. *at is behind
 * the number then. */
static int check_number(const struct json_table *type, const char *text, size_t n, size_t *at, struct error *e) {
    size_t i = *at, digits = 0;

    while (i + digits < n && isdigit((unsigned char)text[i + digits]))
        digits++;
    if (digits >= 19) {
        _cleanup_free_ char *number = strndup(text + i, digits);
        char next = i + digits < n ? text[i + digits] : '\0';
        bool negative = i > 0 && text[i - 1] == '-',
             whole = (i == 0 || text[i - 1] != '.') && next != '.' && next != 'e' && next != 'E';

        errno = 0;
        if (whole && (strtoumax(number, NULL, 10) > (negative ? (uintmax_t)INT64_MAX + 1 : UINT64_MAX) || errno))
            return error_set(e, -EINVAL, "%s: the number %s%s at byte %zu does not fit 64 bits", type->name, negative ? "-" : "",
                             number, i);
    }
    *at = i + digits;
    return 0;
}

/* What lies between two quotes; *at is behind the second one. *ret_nul: the string holds a NUL character, written as an escape. */
static int check_string(const struct json_table *type, const char *text, size_t n, size_t *at, bool *ret_nul, struct error *e) {
    size_t i = *at;

    *ret_nul = false;
    while (i < n && text[i] != '"') {
        size_t length = text[i] == '\\' ? 2 : utf8_length(text + i, n - i);

        if (length == 0) /* json-c knows what a wrong byte is, but takes longer forms than are needed, and halves of pairs */
            return error_set(e, -EBADMSG, "%s is not JSON: invalid utf-8 string at byte %zu", type->name, i);
        *ret_nul |= text[i] == '\\' && n - i >= 6 && memcmp(text + i + 1, "u0000", 5) == 0;
        i += length;
    }
    *at = i + 1;
    return 0;
}

/* What json-c lets pass. A key ends at its NUL character there, and is another one. */
static int check_text(const struct json_table *type, const char *text, size_t n, struct error *e) {
    bool nul = false;
    size_t i = 0;
    int r = 0;

    while (r == 0 && i < n) {
        if (isdigit((unsigned char)text[i])) {
            r = check_number(type, text, n, &i, e);
            continue;
        }
        if (text[i] == 'N' || text[i] == 'I')
            return error_set(e, -EBADMSG, "%s is not JSON: no number at byte %zu", type->name, i);
        if (text[i] == ':' && nul)
            return error_set(e, -EINVAL, "%s: the name of the member at byte %zu holds a NUL character", type->name, i);
        if (text[i++] == '"')
            r = check_string(type, text, n, &i, &nul, e);
    }
    return r;
}

/* One document at the start of the text: *ret_end is the byte behind it. -EBADMSG with the reason. */
static int parse(const char *what, const char *text, size_t n, int flags, struct json_object **ret, size_t *ret_end,
                 struct error *e) {
    _cleanup_(tokener_freep) struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
    enum json_tokener_error problem;

    if (!tokener)
        return error_errno(e, -ENOMEM, "read %s", what);
    json_tokener_set_flags(tokener, flags);
    *ret = json_tokener_parse_ex(tokener, text, (int)n);
    problem = json_tokener_get_error(tokener);
    *ret_end = json_tokener_get_parse_end(tokener);
    if (problem == json_tokener_continue)
        return error_set(e, -EBADMSG, "%s is not JSON: it ends too early", what);
    if (problem != json_tokener_success)
        return error_set(e, -EBADMSG, "%s is not JSON: %s at byte %zu", what, json_tokener_error_desc(problem), *ret_end);
    return 0;
}

/* json-c 0.18 takes each byte of a character beyond ASCII for a control character when it is strict. So there the form is checked
 * on a copy without such characters, and they on the text itself. */
static int parse_strict(const char *what, const char *text, size_t n, struct json_object **ret, size_t *ret_end, struct error *e) {
    _cleanup_(json_putp) struct json_object *unused = NULL;
    _cleanup_free_ char *ascii = NULL;
    size_t wide = 0;
    int r;

    if (json_c_version_num() == (18 << 8))
        while (wide < n && !(text[wide] & 0x80))
            wide++;
    else
        wide = n;
    if (wide == n)
        return parse(what, text, n, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8, ret, ret_end, e);
    ascii = malloc(n);
    if (!ascii)
        return error_errno(e, -ENOMEM, "read %s", what);
    for (size_t i = 0; i < n; i++)
        ascii[i] = text[i] & 0x80 ? '?' : text[i];
    r = parse(what, ascii, n, JSON_TOKENER_STRICT, &unused, ret_end, e);
    return r < 0 ? r : parse(what, text, n, JSON_TOKENER_VALIDATE_UTF8, ret, ret_end, e);
}

int json_decode(const struct json_table *type, const char *text, size_t n, struct arena *a, void *object, struct error *e) {
    _cleanup_(json_putp) struct json_object *o = NULL;
    struct decoder d = {a, e, ""};
    size_t end = 0;
    int r;

    if (n > INT_MAX - 1)
        return error_set(e, -EFBIG, "%s is too large", type->name);
    r = check_text(type, text, n, e); /* before, since some versions of json-c have a less helpful sentence of their own */
    if (r < 0)
        return r;
    r = parse_strict(type->name, text, n, &o, &end, e);
    if (r < 0)
        return r;
    for (size_t i = end; i < n; i++)
        if (!memchr(" \t\r\n", text[i], 4))
            return error_set(e, -EBADMSG, "%s is not JSON: more text follows the document at byte %zu", type->name, i);
    r = decode_object(&d, type, o, object);
    return r < 0 && d.path[0] ? error_wrap(e, r, "%s", d.path) : r;
}

/* --- encoding ------------------------------------------------------------------------------------------------------------- */

void json_write_string_n(struct buf *out, const char *text, size_t n) {
    const unsigned char *s = (const unsigned char *)text;

    buf_add_char(out, '"');
    for (size_t i = 0; i < n;) {
        static const char named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
        const char *found = s[i] ? strchr(named, s[i]) : NULL;
        size_t length = utf8_length(s + i, n - i);

        if (found)
            buf_printf(out, "\\%c", letters[found - named]);
        else if (s[i] < 0x20 || s[i] == 0x7f)
            buf_printf(out, "\\u%04x", s[i]);
        else if (utf8_is_control(s + i, length)) /* which terminals obey, too */
            buf_printf(out, "\\u%04x", s[i + 1]);
        else if (length == 0)
            buf_add_str(out, "\\ufffd");
        else
            buf_add(out, s + i, length);
        i += length ? length : 1;
    }
    buf_add_char(out, '"');
}

void json_write_string(struct buf *out, const char *s) {
    json_write_string_n(out, s, strlen(s));
}

static void new_line(struct buf *out, unsigned indent, unsigned level) {
    if (indent) {
        buf_add_char(out, '\n');
        for (unsigned i = 0; i < indent * level; i++)
            buf_add_char(out, ' ');
    }
}

static void write_key(struct buf *out, const char *key, unsigned indent) {
    json_write_string(out, key);
    buf_add_str(out, indent ? ": " : ":");
}

static const void *list_item(const struct list *l, size_t size, size_t i) {
    return (const unsigned char *)l->v + i * size;
}

/* Everything that holds several values is written by one loop: `each` writes item i. */
struct items {
    const struct json_field *field;
    const void *at;
    unsigned indent, level;
};

static size_t items_count(const struct json_field *f, const void *at) {
    switch (f->kind) {
    case JSON_STRS:
    case JSON_KEYS: return ((const struct strs *)at)->n;
    case JSON_MAP: return ((const struct map *)at)->n;
    default: return ((const struct list *)at)->n;
    }
}

static void encode_items(const struct json_field *f, const void *at, unsigned indent, unsigned level, struct buf *out);

static void write_item(const struct items *it, size_t i, struct buf *out) {
    switch (it->field->kind) {
    case JSON_STRS: json_write_string(out, ((const struct strs *)it->at)->v[i]); break;
    case JSON_KEYS:
        write_key(out, ((const struct strs *)it->at)->v[i], it->indent);
        buf_add_str(out, "{}");
        break;
    case JSON_MAP:
        write_key(out, ((const struct map *)it->at)->v[i].key, it->indent);
        json_write_string(out, ((const struct map *)it->at)->v[i].value);
        break;
    case JSON_U32S: buf_printf(out, "%" PRIu32, ((const uint32_t *)((const struct list *)it->at)->v)[i]); break;
    case JSON_OBJ_MAP: {
        const void *object = list_item(it->at, it->field->type->size, i);

        write_key(out, *(const char *const *)object, it->indent);
        encode_object(it->field->type, object, it->indent, it->level + 1, out);
        break;
    }
    case JSON_OBJ_LISTS: {
        const struct json_objs *named = list_item(it->at, sizeof(*named), i);
        struct json_field items = {.kind = JSON_OBJS, .flags = JSON_NULL_EMPTY, .type = it->field->type};

        write_key(out, named->key, it->indent);
        encode_items(&items, &named->items, it->indent, it->level + 1, out);
        break;
    }
    default: encode_object(it->field->type, list_item(it->at, it->field->type->size, i), it->indent, it->level + 1, out);
    }
}

static void encode_items(const struct json_field *f, const void *at, unsigned indent, unsigned level, struct buf *out) {
    bool object = f->kind == JSON_MAP || f->kind == JSON_KEYS || f->kind == JSON_OBJ_MAP || f->kind == JSON_OBJ_LISTS;
    struct items it = {f, at, indent, level};
    size_t n = items_count(f, at);

    if (n == 0) {
        buf_add_str(out, f->flags & JSON_NULL_EMPTY ? "null" : object ? "{}" : "[]");
        return;
    }
    buf_add_char(out, object ? '{' : '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add_char(out, ',');
        new_line(out, indent, level + 1);
        write_item(&it, i, out);
    }
    new_line(out, indent, level);
    buf_add_char(out, object ? '}' : ']');
}

static void encode_f64(double v, struct buf *out) {
    if (!isfinite(v))
        buf_add_str(out, "null");
    else
        buf_printf(out, "%.17g", v);
}

static void encode_value(const struct json_field *f, const void *at, unsigned indent, unsigned level, struct buf *out) {
    switch ((enum json_kind)f->kind) {
    case JSON_STR:
        if (*(const char *const *)at)
            json_write_string(out, *(const char *const *)at);
        else
            buf_add_str(out, f->flags & JSON_NULL_EMPTY ? "null" : "\"\"");
        break;
    case JSON_BOOL: buf_add_str(out, *(const bool *)at ? "true" : "false"); break;
    case JSON_I32: buf_printf(out, "%" PRId32, *(const int32_t *)at); break;
    case JSON_U32: buf_printf(out, "%" PRIu32, *(const uint32_t *)at); break;
    case JSON_I64: buf_printf(out, "%" PRId64, *(const int64_t *)at); break;
    case JSON_U64: buf_printf(out, "%" PRIu64, *(const uint64_t *)at); break;
    case JSON_F64: encode_f64(*(const double *)at, out); break;
    case JSON_OPT_I64:
        if (((const struct opt_i64 *)at)->set)
            buf_printf(out, "%" PRId64, ((const struct opt_i64 *)at)->value);
        else
            buf_add_str(out, "null");
        break;
    case JSON_OPT_U64:
        if (((const struct opt_u64 *)at)->set)
            buf_printf(out, "%" PRIu64, ((const struct opt_u64 *)at)->value);
        else
            buf_add_str(out, "null");
        break;
    case JSON_OPT_BOOL: {
        const struct opt_bool *v = at;

        buf_add_str(out, !v->set ? "null" : v->value ? "true" : "false");
        break;
    }
    case JSON_STRS:
    case JSON_U32S:
    case JSON_MAP:
    case JSON_KEYS:
    case JSON_OBJS:
    case JSON_OBJ_MAP:
    case JSON_OBJ_LISTS: encode_items(f, at, indent, level, out); break;
    case JSON_OBJ: encode_object(f->type, at, indent, level, out); break;
    case JSON_OBJ_PTR:
        if (*(void *const *)at)
            encode_object(f->type, *(void *const *)at, indent, level, out);
        else
            buf_add_str(out, "null");
        break;
    case JSON_RAW: buf_add_str(out, *(const char *const *)at ? *(const char *const *)at : "null"); break;
    }
}

static bool value_is_empty(const struct json_field *f, const void *at) {
    switch ((enum json_kind)f->kind) {
    case JSON_STR:
    case JSON_RAW: return !*(const char *const *)at || !**(const char *const *)at;
    case JSON_BOOL: return !*(const bool *)at;
    case JSON_I32:
    case JSON_U32: return *(const uint32_t *)at == 0;
    case JSON_I64:
    case JSON_U64: return *(const uint64_t *)at == 0;
    case JSON_F64: return *(const double *)at == 0; /* NOLINT: exactly zero is what absent looks like */
    case JSON_OPT_I64: return !((const struct opt_i64 *)at)->set;
    case JSON_OPT_U64: return !((const struct opt_u64 *)at)->set;
    case JSON_OPT_BOOL: return !((const struct opt_bool *)at)->set;
    case JSON_OBJ: return false;
    case JSON_OBJ_PTR: return !*(void *const *)at;
    default: return items_count(f, at) == 0;
    }
}

static void encode_object(const struct json_table *type, const void *object, unsigned indent, unsigned level, struct buf *out) {
    bool first = true;

    buf_add_char(out, '{');
    for (const struct json_field *f = type->fields; f->name; f++) {
        const void *at = (const unsigned char *)object + f->offset;

        if ((f->flags & JSON_OMIT) && value_is_empty(f, at))
            continue;
        if (!first)
            buf_add_char(out, ',');
        first = false;
        new_line(out, indent, level + 1);
        write_key(out, f->name, indent);
        encode_value(f, at, indent, level + 1, out);
    }
    if (!first)
        new_line(out, indent, level);
    buf_add_char(out, '}');
}

void json_encode(const struct json_table *type, const void *object, unsigned indent, struct buf *out) {
    encode_object(type, object, indent, 0, out);
}
