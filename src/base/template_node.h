/* The parsed template: what template_parse.c hands to template_exec.c. Private to these files. */
#pragma once

#include <json-c/json.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define TEMPLATE_DEPTH_MAX 64 /* of parentheses and of nested blocks */
#define TEMPLATE_TEXT_MAX  (256 * 1024)

enum operand_kind {
    OPERAND_DOT,      /* . */
    OPERAND_FIELD,    /* .A.B: chain on dot */
    OPERAND_VARIABLE, /* $x, $ (name ""), with an optional chain */
    OPERAND_PIPELINE, /* ( … ), with an optional chain */
    OPERAND_FUNCTION, /* a name: function, or a method-like name */
    OPERAND_STRING,
    OPERAND_INT,
    OPERAND_FLOAT,
    OPERAND_BOOL,
    OPERAND_NIL,
};

struct operand {
    enum operand_kind kind;
    const char *name; /* variable, function, string */
    size_t length;    /* of a string: it may hold NULs */
    int64_t integer;  /* also the bool */
    double number;
    struct strs chain; /* field names behind it */
    struct pipeline *pipeline;
    const char *source; /* its own text, for messages */
};

struct command_node { /* operand and its arguments */
    struct list operands;
};

struct pipeline {
    const char *variables[2]; /* of `$i, $v := …`; NULL = none */
    bool assign;              /* `=`, not `:=` */
    struct list commands;     /* of struct command_node */
    unsigned line;
};

enum node_kind { NODE_TEXT, NODE_ACTION, NODE_IF, NODE_RANGE, NODE_WITH, NODE_BREAK, NODE_CONTINUE };

struct node {
    enum node_kind kind;
    const char *text;
    size_t length;
    struct pipeline *pipeline;
    struct list body; /* of struct node */
    struct list otherwise;
};

struct template {
    struct arena arena;
    struct list nodes;
};

/* A value is a json-c object that a pool owns; NULL is Go's nil. */
struct values {
    struct json_object **v;
    size_t n, room;
};

struct json_object *values_keep(struct values *pool, struct json_object *o); /* takes over o's reference */
void values_release(struct values *pool);

typedef int template_function(struct values *pool, struct json_object *const *args, size_t n, struct json_object **ret,
                              struct error *e);
struct template_function_entry {
    const char *name;
    template_function *call;
    size_t args_min, args_max;
};
const struct template_function_entry *template_function_find(const char *name);

bool template_truth(struct json_object *o);
void template_print(struct json_object *o, bool top, struct buf *out);                                         /* as fmt's %v */
int template_index(struct json_object *o, struct json_object *key, struct json_object **ret, struct error *e); /* borrowed */
