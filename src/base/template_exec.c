#include "base/template.h"

#include <string.h>

#include "base/json.h"
#include "base/template_node.h"

#define VARIABLES_MAX 128

enum flow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE };

struct variable {
    const char *name;
    struct json_object *value;
};

struct executor {
    struct values pool;
    struct variable variables[VARIABLES_MAX];
    size_t variable_count;
    struct json_object *root, *more;
    const struct json_table *type; /* of root; NULL = unknown */
    bool typed_nil;                /* the last chain ended in an empty pointer of a known type, not in nothing */
    struct buf *out;
    struct error *e;
    unsigned line;
};

static int eval_pipeline(struct executor *x, const struct pipeline *pl, struct json_object *dot, struct json_object **ret);

struct json_object *values_keep(struct values *pool, struct json_object *o) {
    if (!o)
        return NULL;
    if (pool->n == pool->room) {
        pool->room = pool->room ? pool->room * 2 : 16;
        pool->v = realloc(pool->v, pool->room * sizeof(struct json_object *));
        if (!pool->v)
            abort();
    }
    pool->v[pool->n++] = o;
    return o;
}

void values_release(struct values *pool) {
    for (size_t i = 0; i < pool->n; i++)
        json_object_put(pool->v[i]);
    free(pool->v);
    *pool = (struct values){0};
}

static int fail(struct executor *x, const char *source, struct error *inner) {
    char *text = inner && inner->text ? inner->text : NULL;
    int r = error_set(x->e, -EINVAL, "template: :%u: executing \"\" at <%s>: %s", x->line, source ? source : "",
                      text ? text : "failed");

    error_release(inner);
    return r;
}

/* Go's names are exact; Docker's types write ID where its JSON says Id: the exact key first, then any case. */
static bool find_key(struct json_object *o, const char *name, struct json_object **ret) {
    if (json_object_object_get_ex(o, name, ret))
        return true;
    json_object_object_foreach(o, key, value) {
        if (!strcasecmp(key, name)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static const struct json_field *find_field(const struct json_table *type, const char *name) {
    for (const struct json_field *f = type ? type->fields : NULL; f && f->name; f++)
        if (!strcasecmp(f->name, name))
            return f;
    return NULL;
}

/* What Go's zero value of the field would print. */
static struct json_object *empty_value(struct executor *x, const struct json_field *f) {
    switch ((enum json_kind)f->kind) {
    case JSON_STR: return values_keep(&x->pool, json_object_new_string(""));
    case JSON_BOOL: return values_keep(&x->pool, json_object_new_boolean(0));
    case JSON_I32:
    case JSON_U32:
    case JSON_I64:
    case JSON_U64:
    case JSON_F64: return values_keep(&x->pool, json_object_new_int(0));
    case JSON_STRS:
    case JSON_U32S:
    case JSON_OBJS: return values_keep(&x->pool, json_object_new_array());
    case JSON_MAP:
    case JSON_KEYS:
    case JSON_OBJ_MAP:
    case JSON_OBJ_LISTS: return values_keep(&x->pool, json_object_new_object());
    default: return NULL;
    }
}

static int eval_chain(struct executor *x, const struct operand *o, struct json_object *value, struct json_object **ret) {
    const struct json_table *type = value == x->root ? x->type : NULL;

    x->typed_nil = false;
    for (size_t i = 0; i < o->chain.n; i++) {
        const struct json_field *field = find_field(type, o->chain.v[i]);
        struct error inner = ERROR_INIT;
        struct json_object *next;

        type = field && (field->kind == JSON_OBJ || field->kind == JSON_OBJ_PTR) ? field->type : NULL;

        if (!json_object_is_type(value, json_type_object)) {
            error_set(&inner, -EINVAL, value ? "can't evaluate field %s" : "nil data; no entry for key \"%s\"", o->chain.v[i]);
            return fail(x, o->source, &inner);
        }
        if (!find_key(value, o->chain.v[i], &next) && !(value == x->root && x->more && find_key(x->more, o->chain.v[i], &next))) {
            if (field) {
                value = empty_value(x, field);
                x->typed_nil = !value;
                continue;
            }
            error_set(&inner, -EINVAL, "map has no entry for key \"%s\"", o->chain.v[i]);
            return fail(x, o->source, &inner);
        }
        value = next || !field ? next : empty_value(x, field); /* an empty map or list may be written as null */
        x->typed_nil = !value && field;
    }
    *ret = value;
    return 0;
}

static int variable_get(struct executor *x, const struct operand *o, struct json_object **ret) {
    struct error inner = ERROR_INIT;

    for (size_t i = x->variable_count; i-- > 0;)
        if (!strcmp(x->variables[i].name, o->name))
            return eval_chain(x, o, x->variables[i].value, ret);
    error_set(&inner, -EINVAL, "undefined variable \"$%s\"", o->name);
    return fail(x, o->source, &inner);
}

static int variable_declare(struct executor *x, const char *name, struct json_object *value) {
    struct error inner = ERROR_INIT;

    if (x->variable_count == VARIABLES_MAX) {
        error_set(&inner, -EINVAL, "too many variables");
        return fail(x, name, &inner);
    }
    x->variables[x->variable_count++] = (struct variable){name, value};
    return 0;
}

static int variable_assign(struct executor *x, const char *name, struct json_object *value) {
    struct error inner = ERROR_INIT;

    for (size_t i = x->variable_count; i-- > 0;)
        if (!strcmp(x->variables[i].name, name)) {
            x->variables[i].value = value;
            return 0;
        }
    error_set(&inner, -EINVAL, "undefined variable \"$%s\"", name);
    return fail(x, name, &inner);
}

static int eval_operand(struct executor *x, const struct operand *o, struct json_object *dot, struct json_object **ret) {
    int r;

    switch (o->kind) {
    case OPERAND_DOT: *ret = dot; return 0;
    case OPERAND_FIELD: return eval_chain(x, o, dot, ret);
    case OPERAND_VARIABLE: return variable_get(x, o, ret);
    case OPERAND_PIPELINE: r = eval_pipeline(x, o->pipeline, dot, ret); return r < 0 ? r : eval_chain(x, o, *ret, ret);
    case OPERAND_STRING: *ret = values_keep(&x->pool, json_object_new_string_len(o->name, (int)o->length)); return 0;
    case OPERAND_INT: *ret = values_keep(&x->pool, json_object_new_int64(o->integer)); return 0;
    case OPERAND_FLOAT: *ret = values_keep(&x->pool, json_object_new_double(o->number)); return 0;
    case OPERAND_BOOL: *ret = values_keep(&x->pool, json_object_new_boolean(o->integer != 0)); return 0;
    case OPERAND_NIL: *ret = NULL; return 0;
    case OPERAND_FUNCTION: break;
    }
    *ret = NULL;
    return 0;
}

#define ARGS_MAX 64

/* and, or: arguments are evaluated only as far as needed, as Go does since 1.18. */
static int eval_shortcut(struct executor *x, const struct command_node *c, struct json_object *dot, struct json_object *const *last,
                         struct json_object **ret) {
    bool stop_at = strcmp(LIST_AT(struct operand, &c->operands, 0)->name, "and") != 0;
    struct json_object *value = NULL;

    for (size_t i = 1; i < c->operands.n; i++) {
        const struct operand *o = LIST_AT(struct operand, &c->operands, i);
        int r = eval_operand(x, o, dot, &value);

        if (r < 0)
            return r;
        if (template_truth(value) == stop_at || (i + 1 == c->operands.n && !last)) {
            *ret = value;
            return 0;
        }
    }
    *ret = last ? *last : value;
    return 0;
}

static int call_function(struct executor *x, const struct command_node *c, struct json_object *dot, struct json_object *const *last,
                         struct json_object **ret) {
    const struct operand *name = LIST_AT(struct operand, &c->operands, 0);
    const struct template_function_entry *f = template_function_find(name->name);
    struct json_object *args[ARGS_MAX];
    struct error inner = ERROR_INIT;
    size_t n = 0;
    int r;

    if (f->args_max < c->operands.n - 1 + (last != NULL) || f->args_min > c->operands.n - 1 + (last != NULL) ||
        c->operands.n > ARGS_MAX) {
        error_set(&inner, -EINVAL, "wrong number of args for %s", name->name);
        return fail(x, name->source, &inner);
    }
    if (!f->call)
        return eval_shortcut(x, c, dot, last, ret);
    for (size_t i = 1; i < c->operands.n; i++) {
        r = eval_operand(x, LIST_AT(struct operand, &c->operands, i), dot, &args[n++]);
        if (r < 0)
            return r;
    }
    if (last)
        args[n++] = *last;
    r = f->call(&x->pool, args, n, ret, &inner);
    return r < 0 ? fail(x, name->source, &inner) : 0;
}

/* A command: a function with arguments, or a value; a field with an argument indexes what it finds (.Label "k"). */
static int eval_command(struct executor *x, const struct command_node *c, struct json_object *dot, struct json_object *const *last,
                        struct json_object **ret) {
    const struct operand *first = LIST_AT(struct operand, &c->operands, 0);
    struct error inner = ERROR_INIT;
    struct json_object *value, *key;
    int r;

    if (first->kind == OPERAND_FUNCTION)
        return call_function(x, c, dot, last, ret);
    r = eval_operand(x, first, dot, &value);
    if (r < 0)
        return r;
    if (c->operands.n == 1 && !last) {
        *ret = value;
        return 0;
    }
    if (c->operands.n + (last != NULL) > 2 || !json_object_is_type(value, json_type_object)) {
        error_set(&inner, -EINVAL, "can't give argument to non-function %s", first->source);
        return fail(x, first->source, &inner);
    }
    if (last)
        key = *last;
    else if ((r = eval_operand(x, LIST_AT(struct operand, &c->operands, 1), dot, &key)) < 0)
        return r;
    r = template_index(value, key, ret, &inner);
    if (r >= 0 && !*ret && x->more) /* {{.Label "none"}} of a row: Docker's method answers with a string */
        *ret = values_keep(&x->pool, json_object_new_string(""));
    return r < 0 ? fail(x, first->source, &inner) : 0;
}

/* The value only: declarations are the caller's, since range gives its two variables other values. */
static int eval_commands(struct executor *x, const struct pipeline *pl, struct json_object *dot, struct json_object **ret) {
    struct json_object *value = NULL;

    x->line = pl->line;
    for (size_t i = 0; i < pl->commands.n; i++) {
        struct json_object *previous = value;
        int r = eval_command(x, LIST_AT(struct command_node, &pl->commands, i), dot, i ? &previous : NULL, &value);

        if (r < 0)
            return r;
    }
    *ret = value;
    return 0;
}

static int eval_pipeline(struct executor *x, const struct pipeline *pl, struct json_object *dot, struct json_object **ret) {
    struct json_object *value = NULL;
    int r = eval_commands(x, pl, dot, &value);

    if (r >= 0 && pl->variables[0])
        r = pl->assign ? variable_assign(x, pl->variables[0], value) : variable_declare(x, pl->variables[0], value);
    if (r >= 0)
        *ret = value;
    return r;
}

static int run_nodes(struct executor *x, const struct list *nodes, struct json_object *dot);

static int run_once(struct executor *x, const struct node *node, struct json_object *dot, struct json_object *key,
                    struct json_object *item) {
    const struct pipeline *pl = node->pipeline;
    size_t mark = x->variable_count;
    int r = 0;

    if (pl->variables[1]) {
        r = variable_declare(x, pl->variables[0], key);
        if (r >= 0)
            r = variable_declare(x, pl->variables[1], item);
    } else if (pl->variables[0]) {
        r = variable_declare(x, pl->variables[0], item);
    }
    if (r >= 0)
        r = run_nodes(x, &node->body, item);
    x->variable_count = mark;
    return r == FLOW_CONTINUE ? FLOW_NEXT : r;
}

static int by_key(const void *a, const void *b) {
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

/* Go walks maps in the order of their keys. */
static int run_map(struct executor *x, const struct node *node, struct json_object *dot, struct json_object *map) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct strs keys = {0};
    int r = FLOW_NEXT;

    json_object_object_foreach(map, name, ignored) {
        (void)ignored;
        strs_add(&a, &keys, name);
    }
    if (keys.n)
        qsort(keys.v, keys.n, sizeof *keys.v, by_key);
    for (size_t i = 0; i < keys.n && r == FLOW_NEXT; i++)
        r = run_once(x, node, dot, values_keep(&x->pool, json_object_new_string(keys.v[i])),
                     json_object_object_get(map, keys.v[i]));
    return r < 0 ? r : FLOW_NEXT;
}

static int run_range(struct executor *x, const struct node *node, struct json_object *dot) {
    struct error inner = ERROR_INIT;
    struct json_object *value = NULL;
    int r = eval_commands(x, node->pipeline, dot, &value);
    size_t n;

    if (r < 0)
        return r;
    if (!template_truth(value) &&
        (!value || json_object_is_type(value, json_type_array) || json_object_is_type(value, json_type_object)))
        return run_nodes(x, &node->otherwise, dot);
    if (json_object_is_type(value, json_type_object))
        return run_map(x, node, dot, value);
    if (!json_object_is_type(value, json_type_array)) {
        error_set(&inner, -EINVAL, "range can't iterate over %s", json_object_get_string(value));
        return fail(x, "range", &inner);
    }
    n = json_object_array_length(value);
    for (size_t i = 0; i < n && r == FLOW_NEXT; i++)
        r = run_once(x, node, dot, values_keep(&x->pool, json_object_new_int64((int64_t)i)), json_object_array_get_idx(value, i));
    return r < 0 ? r : FLOW_NEXT;
}

static int run_condition(struct executor *x, const struct node *node, struct json_object *dot) {
    size_t mark = x->variable_count;
    struct json_object *value = NULL;
    int r = eval_pipeline(x, node->pipeline, dot, &value);

    if (r < 0)
        return r;
    if (template_truth(value))
        r = run_nodes(x, &node->body, node->kind == NODE_WITH ? value : dot);
    else
        r = run_nodes(x, &node->otherwise, dot);
    x->variable_count = mark;
    return r;
}

static int run_node(struct executor *x, const struct node *node, struct json_object *dot) {
    struct json_object *value = NULL;
    int r;

    switch (node->kind) {
    case NODE_TEXT: buf_add(x->out, node->text, node->length); return FLOW_NEXT;
    case NODE_IF:
    case NODE_WITH: return run_condition(x, node, dot);
    case NODE_RANGE: return run_range(x, node, dot);
    case NODE_BREAK: return FLOW_BREAK;
    case NODE_CONTINUE: return FLOW_CONTINUE;
    case NODE_ACTION: break;
    }
    x->typed_nil = false;
    r = eval_pipeline(x, node->pipeline, dot, &value);
    if (r < 0)
        return r;
    if (!node->pipeline->variables[0])
        template_print(value, !x->typed_nil, x->out);
    return FLOW_NEXT;
}

/* enum flow, or a negative errno. Variables declared here end here. */
static int run_nodes(struct executor *x, const struct list *nodes, struct json_object *dot) {
    size_t mark = x->variable_count;
    int r = FLOW_NEXT;

    for (size_t i = 0; i < nodes->n && r == FLOW_NEXT; i++)
        r = run_node(x, LIST_AT(struct node, nodes, i), dot);
    x->variable_count = mark;
    return r;
}

/* NULL with *ret_ok false when the text is not JSON. */
static struct json_object *parse(struct executor *x, const char *json, size_t n, bool *ret_ok) {
    struct json_tokener *tok = n > INT32_MAX ? NULL : json_tokener_new_ex(TEMPLATE_DEPTH_MAX);
    struct json_object *o;

    *ret_ok = false;
    if (!tok)
        return NULL;
    o = values_keep(&x->pool, json_tokener_parse_ex(tok, json, (int)n));
    if (json_tokener_get_error(tok) == json_tokener_continue) /* a bare number ends only at the end of the text */
        o = values_keep(&x->pool, json_tokener_parse_ex(tok, "", 1));
    *ret_ok = json_tokener_get_error(tok) == json_tokener_success;
    json_tokener_free(tok);
    return o;
}

static int execute(const struct template *t, const char *json, size_t n, const struct buf *more, const struct json_table *type,
                   struct buf *out, struct error *e) {
    struct executor x = {.out = out, .e = e, .type = type};
    bool ok, more_ok = true;
    int r;

    x.root = parse(&x, json, n, &ok);
    if (more)
        x.more = parse(&x, buf_text(more), more->size, &more_ok);
    r = ok && more_ok ? 0 : error_set(e, -EBADMSG, "the data of a template is not JSON");
    if (r >= 0)
        r = variable_declare(&x, "", x.root);
    if (r >= 0)
        r = run_nodes(&x, &t->nodes, x.root);
    values_release(&x.pool);
    if (r >= 0 && out->failed)
        r = error_set(e, -EFBIG, "the output of the template is too long");
    return r < 0 ? r : 0;
}

int template_execute(const struct template *t, const char *json, size_t n, struct buf *out, struct error *e) {
    return execute(t, json, n, NULL, NULL, out, e);
}

int template_execute_more(const struct template *t, const char *json, size_t n, const struct buf *more, struct buf *out,
                          struct error *e) {
    return execute(t, json, n, more, NULL, out, e);
}

int template_execute_typed(const struct template *t, const char *json, size_t n, const struct json_table *type, struct buf *out,
                           struct error *e) {
    return execute(t, json, n, NULL, type, out, e);
}
