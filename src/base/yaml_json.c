#include "base/yaml_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#define DEPTH_MAX 64

/* What the table wants at a place. */
struct wanted {
    const struct json_table *type; /* of an object, or of the objects of a list or map; NULL = nothing is known */
    bool text;                     /* strings, here or in the list or map that stands here */
};

struct writer {
    yaml_document_t *document;
    struct buf *out;
    struct error *e;
    unsigned depth;
};

static int write_node(struct writer *w, int number, struct wanted wanted);

static int wrong(struct writer *w, const yaml_node_t *n, int code, const char *what) {
    return error_set(w->e, code, "line %zu: %s", n->start_mark.line + 1, what);
}

static struct wanted wanted_at(const struct json_table *type, const char *key) {
    for (const struct json_field *f = type ? type->fields : NULL; f && f->name; f++)
        if (strcmp(f->name, key) == 0)
            return (struct wanted){f->type, f->kind == JSON_STR || f->kind == JSON_STRS || f->kind == JSON_MAP};
    return (struct wanted){NULL, false};
}

static bool is_one_of(const char *text, const char *const *words) {
    while (*words && strcasecmp(text, *words) != 0)
        words++;
    return *words;
}

/* The number in JSON's form; false: it is none. */
static bool write_integer(const char *text, struct buf *out) {
    const char *digits = text + (*text == '-' || *text == '+');
    bool octal = strncmp(digits, "0o", 2) == 0;
    char *end;

    if (!strchr("0123456789", *digits) || !*digits)
        return false;
    errno = 0;
    unsigned long long n = strtoull(octal ? digits + 2 : digits, &end, octal ? 8 : 0);
    if (errno || *end || end == digits + 2 * octal)
        return false;
    buf_printf(out, "%s%llu", *text == '-' ? "-" : "", n);
    return true;
}

static void write_scalar(struct writer *w, const yaml_node_t *n, bool text) {
    static const char *const nothing[] = {"", "~", "null", NULL};
    static const char *const yes[] = {"true", "yes", "on", NULL}, *const no[] = {"false", "no", "off", NULL};
    const char *value = (const char *)n->data.scalar.value;
    bool plain = n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

    if (plain && is_one_of(value, nothing))
        buf_add_str(w->out, "null");
    else if (plain && !text && (is_one_of(value, yes) || is_one_of(value, no)))
        buf_add_str(w->out, is_one_of(value, yes) ? "true" : "false");
    else if (!plain || text || !write_integer(value, w->out))
        json_write_string_n(w->out, value, n->data.scalar.length);
}

static int write_list(struct writer *w, const yaml_node_t *n, struct wanted wanted) {
    int r = 0;

    buf_add_char(w->out, '[');
    for (const yaml_node_item_t *i = n->data.sequence.items.start; r == 0 && i < n->data.sequence.items.top; i++) {
        buf_add_str(w->out, i > n->data.sequence.items.start ? "," : "");
        r = write_node(w, *i, wanted);
    }
    buf_add_char(w->out, ']');
    return r;
}

static bool is_key(struct writer *w, const yaml_node_pair_t *pair, const char *text) {
    const yaml_node_t *n = yaml_document_get_node(w->document, pair->key);

    return n->type == YAML_SCALAR_NODE && strcmp((const char *)n->data.scalar.value, text) == 0;
}

static int write_pair(struct writer *w, const yaml_node_t *map, const yaml_node_pair_t *pair, struct wanted wanted) {
    const yaml_node_t *n = yaml_document_get_node(w->document, pair->key);
    const char *key = n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;

    if (!key)
        return wrong(w, n, -ENOTSUP, "a key that is no scalar is not supported");
    if (strcmp(key, "<<") == 0)
        return wrong(w, n, -ENOTSUP, "merge keys (<<) are not supported");
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < pair; p++)
        if (is_key(w, p, key))
            return wrong(w, n, -EBADMSG, "a key stands there twice");
    json_write_string_n(w->out, key, n->data.scalar.length);
    buf_add_char(w->out, ':');
    return write_node(w, pair->value, wanted.text ? wanted : wanted_at(wanted.type, key));
}

static int write_map(struct writer *w, const yaml_node_t *n, struct wanted wanted) {
    int r = 0;

    buf_add_char(w->out, '{');
    for (const yaml_node_pair_t *p = n->data.mapping.pairs.start; r == 0 && p < n->data.mapping.pairs.top; p++) {
        buf_add_str(w->out, p > n->data.mapping.pairs.start ? "," : "");
        r = write_pair(w, n, p, wanted);
    }
    buf_add_char(w->out, '}');
    return r;
}

/* Aliases make the document a graph: what they lead to is written each time, so depth and size are looked at on the way. */
static int write_node(struct writer *w, int number, struct wanted wanted) {
    const yaml_node_t *n = yaml_document_get_node(w->document, number);
    int r = 0;

    if (!n)
        return error_set(w->e, -EBADMSG, "there is nothing in it");
    if (w->depth >= DEPTH_MAX || w->out->failed)
        return wrong(w, n, -EBADMSG, w->out->failed ? "the document is too large" : "the document is too deep");
    w->depth++;
    if (n->type == YAML_SEQUENCE_NODE)
        r = write_list(w, n, wanted);
    else if (n->type == YAML_MAPPING_NODE)
        r = write_map(w, n, wanted);
    else
        write_scalar(w, n, wanted.text);
    w->depth--;
    return r;
}

static int load(yaml_parser_t *parser, yaml_document_t *ret, struct error *e) {
    if (yaml_parser_load(parser, ret))
        return 0;
    return error_set(e, -EBADMSG, "line %zu: %s", parser->problem_mark.line + 1,
                     parser->problem ? parser->problem : "this is not YAML");
}

/* *ret: is there one more? */
static int another(yaml_parser_t *parser, bool *ret, struct error *e) {
    yaml_document_t next;
    int r = load(parser, &next, e);

    if (r < 0)
        return r;
    *ret = yaml_document_get_root_node(&next);
    yaml_document_delete(&next);
    return 0;
}

int yaml_to_json(const struct json_table *type, const char *text, size_t n, struct buf *out, struct error *e) {
    struct writer w = {.out = out, .e = e};
    yaml_parser_t parser;
    yaml_document_t document;
    bool more = false;
    int r;

    if (!yaml_parser_initialize(&parser))
        return error_errno(e, -ENOMEM, "read YAML");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    r = load(&parser, &document, e);
    if (r == 0) {
        w.document = &document;
        r = write_node(&w, 1, (struct wanted){type, false});
        yaml_document_delete(&document);
        if (r == 0)
            r = another(&parser, &more, e);
    }
    yaml_parser_delete(&parser);
    if (r == 0 && more)
        return error_set(e, -ENOTSUP, "a second document in the file is not supported");
    return r == 0 && out->failed ? error_set(e, -EBADMSG, "the document is too large") : r;
}
