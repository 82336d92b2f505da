/* The functions of templates, and how values are printed (Go's fmt). */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/template_node.h"

#define PAD_MAX 4096

static const char *text_of(struct json_object *o) {
    return json_object_is_type(o, json_type_string) ? json_object_get_string(o) : "";
}

static struct json_object *string_new(struct values *pool, struct buf *b) {
    return values_keep(pool, json_object_new_string_len(buf_text(b), (int)b->size));
}

bool template_truth(struct json_object *o) {
    switch (json_object_get_type(o)) {
    case json_type_boolean: return json_object_get_boolean(o);
    case json_type_int: return json_object_get_int64(o) != 0;
    case json_type_double: return json_object_get_double(o) != 0.0;
    case json_type_string: return json_object_get_string_len(o) > 0;
    case json_type_array: return json_object_array_length(o) > 0;
    case json_type_object: return json_object_object_length(o) > 0;
    case json_type_null: break;
    }
    return false;
}

static void print_double(double d, struct buf *out) {
    char text[40];

    for (int digits = 1; digits <= 17; digits++) { /* the shortest text that reads back as the same number, as Go's %v */
        double back;

        snprintf(text, sizeof text, "%.*g", digits, d);
        back = strtod(text, NULL);
        if (!(back < d) && !(back > d))
            break;
    }
    if (fabs(d) >= 1e-4 && fabs(d) < 1e21 && strchr(text, 'e'))
        snprintf(text, sizeof text, "%.0f", d);
    buf_add_str(out, text);
}

static int by_key(const void *a, const void *b) {
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

static void print_map(struct json_object *o, struct buf *out) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct strs keys = {0};

    json_object_object_foreach(o, name, ignored) {
        (void)ignored;
        strs_add(&a, &keys, name);
    }
    if (keys.n)
        qsort(keys.v, keys.n, sizeof *keys.v, by_key);
    buf_add_str(out, "map[");
    for (size_t i = 0; i < keys.n; i++) {
        struct json_object *value = json_object_object_get(o, keys.v[i]);

        buf_printf(out, "%s%s:", i ? " " : "", keys.v[i]);
        /* Ports and volumes ("80/tcp", "/data") are the keys of a set in Go, whose values print so. */
        if (strchr(keys.v[i], '/') && json_object_is_type(value, json_type_object) && json_object_object_length(value) == 0)
            buf_add_str(out, "{}");
        else
            template_print(value, false, out);
    }
    buf_add_char(out, ']');
}

void template_print(struct json_object *o, bool top, struct buf *out) {
    switch (json_object_get_type(o)) {
    case json_type_null: buf_add_str(out, top ? "<no value>" : "<nil>"); break;
    case json_type_double: print_double(json_object_get_double(o), out); break;
    case json_type_string: buf_add(out, json_object_get_string(o), (size_t)json_object_get_string_len(o)); break;
    case json_type_object: print_map(o, out); break;
    case json_type_array:
        buf_add_char(out, '[');
        for (size_t i = 0; i < json_object_array_length(o); i++) {
            if (i)
                buf_add_char(out, ' ');
            template_print(json_object_array_get_idx(o, i), false, out);
        }
        buf_add_char(out, ']');
        break;
    case json_type_boolean:
    case json_type_int: buf_add_str(out, json_object_get_string(o)); break;
    }
}

int template_index(struct json_object *o, struct json_object *key, struct json_object **ret, struct error *e) {
    if (json_object_is_type(o, json_type_object)) {
        if (!json_object_is_type(key, json_type_string))
            return error_set(e, -EINVAL, "error calling index: value has type %s; should be string",
                             json_type_to_name(json_object_get_type(key)));
        *ret = json_object_object_get(o, json_object_get_string(key));
        return 0;
    }
    if (json_object_is_type(o, json_type_array)) {
        int64_t i = json_object_get_int64(key);

        if (!json_object_is_type(key, json_type_int))
            return error_set(e, -EINVAL, "error calling index: cannot index slice/array with %s",
                             json_type_to_name(json_object_get_type(key)));
        if (i < 0 || (size_t)i >= json_object_array_length(o))
            return error_set(e, -EINVAL, "error calling index: index out of range: %lld", (long long)i);
        *ret = json_object_array_get_idx(o, (size_t)i);
        return 0;
    }
    return error_set(e, -EINVAL,
                     o ? "error calling index: can't index item of type %s" : "error calling index: index of untyped %s",
                     o ? json_type_to_name(json_object_get_type(o)) : "nil");
}

static int f_index(struct values *pool, struct json_object *const *args, size_t n, struct json_object **ret, struct error *e) {
    struct json_object *o = args[0];

    for (size_t i = 1; i < n; i++) {
        int r = template_index(o, args[i], &o, e);

        if (r < 0)
            return r;
    }
    *ret = o;
    return 0;
}

static int f_json(struct values *pool, struct json_object *const *args, size_t n, struct json_object **ret, struct error *e) {
    *ret = values_keep(pool, json_object_new_string(
                                 json_object_to_json_string_ext(args[0], JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)));
    return 0;
}

static int f_len(struct values *pool, struct json_object *const *args, size_t n, struct json_object **ret, struct error *e) {
    size_t length;

    switch (json_object_get_type(args[0])) {
    case json_type_string: length = (size_t)json_object_get_string_len(args[0]); break;
    case json_type_array: length = json_object_array_length(args[0]); break;
    case json_type_object: length = (size_t)json_object_object_length(args[0]); break;
    default: return error_set(e, -EINVAL, "error calling len: len of type %s", json_type_to_name(json_object_get_type(args[0])));
    }
    *ret = values_keep(pool, json_object_new_int64((int64_t)length));
    return 0;
}

/* fmt.Print puts a space between two operands when neither is a string; fmt.Println always. */
static int print_all(struct values *pool, struct json_object *const *args, size_t n, bool line, struct json_object **ret) {
    _cleanup_buf_ struct buf b = BUF_INIT;

    for (size_t i = 0; i < n; i++) {
        bool strings = i && (json_object_is_type(args[i], json_type_string) || json_object_is_type(args[i - 1], json_type_string));

        if (i && (line || !strings))
            buf_add_char(&b, ' ');
        template_print(args[i], false, &b);
    }
    if (line)
        buf_add_char(&b, '\n');
    *ret = string_new(pool, &b);
    return 0;
}

static int f_print(struct values *pool, struct json_object *const *args, size_t n, struct json_object **ret, struct error *e) {
    return print_all(pool, args, n, false, ret);
}

static int f_println(struct values *pool, struct json_object *const *args, size_t n, struct json_object **ret, struct error *e) {
    return print_all(pool, args, n, true, ret);
}

/* One conversion: flags, width and precision are C's where the verb is; %v and %q are Go's. */
static void print_verb(const char *spec, char verb, struct json_object *arg, struct buf *out) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    char fmt[32], number[512];

    switch (verb) {
    case 'd':
    case 'x':
    case 'X':
    case 'o':
        if (json_object_is_type(arg, json_type_int)) {
            snprintf(fmt, sizeof fmt, "%%%sll%c", spec, verb);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(number, sizeof number, fmt, (long long)json_object_get_int64(arg));
            buf_add_str(out, number);
            return;
        }
        break;
    case 'f':
    case 'g':
    case 'e':
        if (json_object_is_type(arg, json_type_double)) {
            snprintf(fmt, sizeof fmt, "%%%s%c", spec, verb);
            snprintf(number, sizeof number, fmt, json_object_get_double(arg));
            buf_add_str(out, number);
            return;
        }
        break;
    case 'q':
    case 's':
    case 'v':
    case 't':
        if (verb == 'q')
            json_write_string(&text, text_of(arg));
        else
            template_print(arg, false, &text);
        snprintf(fmt, sizeof fmt, "%%%ss", spec);
        buf_printf(out, fmt, buf_text(&text));
#pragma GCC diagnostic pop
        return;
    default: break;
    }
    buf_printf(out, "%%!%c(", verb);
    template_print(arg, false, out);
    buf_add_char(out, ')');
}

static int f_printf(struct values *pool, struct json_object *const *args, size_t n, struct json_object **ret, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    size_t next = 1;

    for (const char *p = text_of(args[0]); *p; p++) {
        char spec[8] = "";
        size_t width;

        if (*p != '%') {
            buf_add_char(&b, *p);
            continue;
        }
        p++;
        width = strspn(p, "-+ #0123456789.");
        if (width >= sizeof spec)
            return error_set(e, -EINVAL, "error calling printf: width too long");
        memcpy(spec, p, width);
        p += width;
        if (*p == '%')
            buf_add_char(&b, '%');
        else if (!*p)
            buf_add_str(&b, "%!(NOVERB)");
        else if (next >= n)
            buf_printf(&b, "%%!%c(MISSING)", *p);
        else
            print_verb(spec, *p, args[next++], &b);
        if (!*p)
            break;
    }
    if (next < n)
        buf_add_str(&b, "%!(EXTRA)");
    *ret = string_new(pool, &b);
    return 0;
}

static int need_string(const char *function, struct json_object *o, struct error *e) {
    if (json_object_is_type(o, json_type_string))
        return 0;
    return error_set(e, -EINVAL, "error calling %s: wrong type for value; expected string; got %s", function,
                     json_type_to_name(json_object_get_type(o)));
}

static int map_text(const char *function, int (*each)(int), struct values *pool, struct json_object *o, struct json_object **ret,
                    struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    int r = need_string(function, o, e);

    if (r < 0)
        return r;
    for (const char *p = text_of(o); *p; p++)
        buf_add_char(&b, *p & 0x80 ? *p : (char)each((unsigned char)*p));
    *ret = string_new(pool, &b);
    return 0;
}

static int f_lower(struct values *pool, struct json_object *const *args, size_t n, struct json_object **ret, struct error *e) {
    return map_text("lower", tolower, pool, args[0], ret, e);
}

static int f_upper(struct values *pool, struct json_object *const *args, size_t n, struct json_object **ret, struct error *e) {
    return map_text("upper", toupper, pool, args[0], ret, e);
}

static int f_title(struct values *pool, struct json_object *const *args, size_t n, struct json_object **ret, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    bool first = true;
    int r = need_string("title", args[0], e);

    if (r < 0)
        return r;
    for (const char *p = text_of(args[0]); *p; p++) {
        buf_add_char(&b, first && !(*p & 0x80) ? (char)toupper((unsigned char)*p) : *p);
        first = isspace((unsigned char)*p) != 0;
    }
    *ret = string_new(pool, &b);
    return 0;
}

static int f_join(struct values *pool, struct json_object *const *args, size_t n, struct json_object **ret, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;

    if (args[0] && !json_object_is_type(args[0], json_type_array))
        return error_set(e, -EINVAL, "error calling join: wrong type for value; expected list; got %s",
                         json_type_to_name(json_object_get_type(args[0])));
    for (size_t i = 0; args[0] && i < json_object_array_length(args[0]); i++) {
        if (i)
            buf_add_str(&b, text_of(args[1]));
        template_print(json_object_array_get_idx(args[0], i), false, &b);
    }
    *ret = string_new(pool, &b);
    return 0;
}

static int f_split(struct values *pool, struct json_object *const *args, size_t n, struct json_object **ret, struct error *e) {
    const char *p, *sep = text_of(args[1]);
    struct json_object *list;
    int r = need_string("split", args[0], e);

    if (r < 0)
        return r;
    list = values_keep(pool, json_object_new_array());
    for (p = text_of(args[0]);;) {
        const char *hit = *sep ? strstr(p, sep) : *p ? p + 1 : NULL;

        json_object_array_add(list, json_object_new_string_len(p, (int)(hit ? (size_t)(hit - p) : strlen(p))));
        if (!hit || (!*sep && !*hit))
            break;
        p = hit + strlen(sep);
    }
    *ret = list;
    return 0;
}

static int f_pad(struct values *pool, struct json_object *const *args, size_t n, struct json_object **ret, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    int64_t left = json_object_get_int64(args[1]), right = json_object_get_int64(args[2]);
    int r = need_string("pad", args[0], e);

    if (r < 0)
        return r;
    if (left < 0 || right < 0 || left > PAD_MAX || right > PAD_MAX)
        return error_set(e, -EINVAL, "error calling pad: width out of range");
    if (*text_of(args[0]))
        buf_printf(&b, "%*s%s%*s", (int)left, "", text_of(args[0]), (int)right, "");
    *ret = string_new(pool, &b);
    return 0;
}

static int f_truncate(struct values *pool, struct json_object *const *args, size_t n, struct json_object **ret, struct error *e) {
    int64_t max = json_object_get_int64(args[1]);
    int r = need_string("truncate", args[0], e);

    if (r < 0)
        return r;
    if (max < 0 || max >= json_object_get_string_len(args[0]))
        *ret = args[0];
    else
        *ret = values_keep(pool, json_object_new_string_len(text_of(args[0]), (int)max));
    return 0;
}

static int f_not(struct values *pool, struct json_object *const *args, size_t n, struct json_object **ret, struct error *e) {
    *ret = values_keep(pool, json_object_new_boolean(!template_truth(args[0])));
    return 0;
}

/* -1, 0, 1; -EINVAL when the types cannot be compared. */
static int compare(struct json_object *a, struct json_object *b, bool order, int *ret, struct error *e) {
    enum json_type ta = json_object_get_type(a), tb = json_object_get_type(b);

    if (ta == json_type_string && tb == json_type_string) {
        int c = strcmp(json_object_get_string(a), json_object_get_string(b));

        *ret = (c > 0) - (c < 0);
    } else if (ta == json_type_int && tb == json_type_int) {
        int64_t x = json_object_get_int64(a), y = json_object_get_int64(b);

        *ret = (x > y) - (x < y);
    } else if ((ta == json_type_int || ta == json_type_double) && (tb == json_type_int || tb == json_type_double)) {
        double x = json_object_get_double(a), y = json_object_get_double(b);

        *ret = (x > y) - (x < y);
    } else if (!order && ta == json_type_boolean && tb == json_type_boolean) {
        *ret = json_object_get_boolean(a) != json_object_get_boolean(b);
    } else if (!order && (!a || !b)) {
        *ret = a != b;
    } else {
        return error_set(e, -EINVAL, "incompatible types for comparison");
    }
    return 0;
}

static int f_eq(struct values *pool, struct json_object *const *args, size_t n, struct json_object **ret, struct error *e) {
    bool equal = false;

    for (size_t i = 1; i < n && !equal; i++) { /* eq a b c: a equals one of the others */
        int c, r = compare(args[0], args[i], false, &c, e);

        if (r < 0)
            return error_wrap(e, r, "error calling eq");
        equal = !c;
    }
    *ret = values_keep(pool, json_object_new_boolean(equal));
    return 0;
}

static int compare_two(const char *name, bool order, unsigned wanted, struct values *pool, struct json_object *const *args,
                       struct json_object **ret, struct error *e) {
    int c, r = compare(args[0], args[1], order, &c, e);

    if (r < 0)
        return error_wrap(e, r, "error calling %s", name);
    *ret = values_keep(pool, json_object_new_boolean((wanted >> (c + 1)) & 1));
    return 0;
}

/* Bits of `wanted`: 1 = less, 2 = equal, 4 = greater. */
#define COMPARISON(name, order, wanted)                                                                                            \
    static int f_##name(struct values *pool, struct json_object *const *args, size_t n, struct json_object **ret,                  \
                        struct error *e) {                                                                                         \
        return compare_two(#name, order, wanted, pool, args, ret, e);                                                              \
    }
COMPARISON(ne, false, 5)
COMPARISON(lt, true, 1)
COMPARISON(le, true, 3)
COMPARISON(gt, true, 4)
COMPARISON(ge, true, 6)

#define ANY 60

static const struct template_function_entry functions[] = {
    {"and", NULL, 1, ANY},        {"or", NULL, 1, ANY},
    {"not", f_not, 1, 1},         {"eq", f_eq, 2, ANY},
    {"ne", f_ne, 2, 2},           {"lt", f_lt, 2, 2},
    {"le", f_le, 2, 2},           {"gt", f_gt, 2, 2},
    {"ge", f_ge, 2, 2},           {"index", f_index, 1, ANY},
    {"len", f_len, 1, 1},         {"json", f_json, 1, 1},
    {"print", f_print, 0, ANY},   {"println", f_println, 0, ANY},
    {"printf", f_printf, 1, ANY}, {"join", f_join, 2, 2},
    {"split", f_split, 2, 2},     {"lower", f_lower, 1, 1},
    {"upper", f_upper, 1, 1},     {"title", f_title, 1, 1},
    {"pad", f_pad, 3, 3},         {"truncate", f_truncate, 2, 2},
};

const struct template_function_entry *template_function_find(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
        if (!strcmp(functions[i].name, name))
            return &functions[i];
    return NULL;
}
