#include "base/template.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "base/template_node.h"

struct parser {
    const char *start;
    const char *p; /* next byte */
    struct arena *a;
    struct error *e;
    unsigned depth;
    unsigned loops; /* enclosing ranges */
    bool trim_next; /* the last action ended in -}} */
};

/* What ended a list of nodes. */
enum list_end { LIST_EOF, LIST_END, LIST_ELSE, LIST_ELSE_IF, LIST_ELSE_WITH };

static int parse_pipeline(struct parser *s, char close, struct pipeline **ret);
static int parse_nodes(struct parser *s, struct list *ret, enum list_end *ret_end);

static unsigned line_of(const struct parser *s) {
    unsigned line = 1;

    for (const char *q = s->start; q < s->p; q++)
        line += *q == '\n';
    return line;
}

#define FAIL(s, ...) parse_fail((s), __VA_ARGS__)
static int _printf_(2, 3) parse_fail(struct parser *s, const char *fmt, ...) {
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return error_set(s->e, -EINVAL, "template parsing error: template: :%u: %s", line_of(s), text);
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(struct parser *s) {
    while (is_space(*s->p))
        s->p++;
}

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_' || (c & 0x80);
}

static size_t word_length(const char *p) {
    size_t n = 0;

    while (is_word(p[n]))
        n++;
    return n;
}

/* At "}}" or "-}}" (the minus needs a space before it, as in Go)? */
static bool at_close(const struct parser *s) {
    return !strncmp(s->p, "}}", 2) || (!strncmp(s->p, "-}}", 3) && s->p > s->start && is_space(s->p[-1]));
}

static int eat_close(struct parser *s) {
    skip_space(s);
    if (!at_close(s))
        return *s->p ? FAIL(s, "unexpected \"%.*s\" in command", 12, s->p) : FAIL(s, "unclosed action");
    s->trim_next = *s->p == '-';
    s->p += s->trim_next ? 3 : 2;
    return 0;
}

static void utf8_add(struct buf *out, unsigned long c) {
    if (c < 0x80) {
        buf_add_char(out, (char)c);
    } else if (c < 0x800) {
        buf_add_char(out, (char)(0xc0 | (c >> 6)));
        buf_add_char(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_add_char(out, (char)(0xe0 | (c >> 12)));
        buf_add_char(out, (char)(0x80 | ((c >> 6) & 0x3f)));
        buf_add_char(out, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_add_char(out, (char)(0xf0 | ((c >> 18) & 7)));
        buf_add_char(out, (char)(0x80 | ((c >> 12) & 0x3f)));
        buf_add_char(out, (char)(0x80 | ((c >> 6) & 0x3f)));
        buf_add_char(out, (char)(0x80 | (c & 0x3f)));
    }
}

/* One escape behind the backslash at s->p; Go's interpreted string literals. */
static int parse_escape(struct parser *s, struct buf *out) {
    static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
    const char *found = *s->p ? strchr(from, *s->p) : NULL;
    char digits[9] = "";
    size_t want = *s->p == 'x' ? 2 : *s->p == 'u' ? 4 : *s->p == 'U' ? 8 : 0;
    unsigned long c;

    if (found) {
        buf_add_char(out, to[found - from]);
        s->p++;
        return 0;
    }
    if (!want || strspn(s->p + 1, "0123456789abcdefABCDEF") < want)
        return FAIL(s, "bad escape in string");
    memcpy(digits, s->p + 1, want);
    c = strtoul(digits, NULL, 16);
    s->p += want + 1;
    if (want == 2)
        buf_add_char(out, (char)c);
    else
        utf8_add(out, c);
    return 0;
}

static int parse_quoted(struct parser *s, struct operand *o) {
    _cleanup_buf_ struct buf text = BUF_WITH_MAX(TEMPLATE_TEXT_MAX);
    char quote = *s->p++;
    int r;

    while (*s->p && *s->p != quote) {
        if (*s->p == '\n' && quote != '`')
            return FAIL(s, "unterminated quoted string");
        if (*s->p != '\\' || quote == '`') {
            buf_add_char(&text, *s->p++);
            continue;
        }
        s->p++;
        r = parse_escape(s, &text);
        if (r < 0)
            return r;
    }
    if (*s->p != quote)
        return FAIL(s, quote == '`' ? "unterminated raw quoted string" : "unterminated quoted string");
    s->p++;
    if (quote == '\'') {
        o->kind = OPERAND_INT;
        o->integer = (unsigned char)buf_text(&text)[0];
        return 0;
    }
    o->kind = OPERAND_STRING;
    o->name = arena_strndup(s->a, buf_text(&text), text.size);
    o->length = text.size;
    return 0;
}

static int parse_number(struct parser *s, struct operand *o) {
    char *end_int, *end_float;
    const char *end;

    errno = 0;
    o->integer = strtoll(s->p, &end_int, 0);
    if (errno)
        return FAIL(s, "integer overflow");
    o->number = strtod(s->p, &end_float);
    o->kind = end_float > end_int ? OPERAND_FLOAT : OPERAND_INT;
    end = o->kind == OPERAND_FLOAT ? end_float : end_int;
    if (is_word(*end))
        return FAIL(s, "bad number syntax: \"%.*s\"", (int)(end - s->p) + 1, s->p);
    s->p = end;
    return 0;
}

static int parse_chain(struct parser *s, struct operand *o) {
    while (*s->p == '.') {
        size_t n = word_length(s->p + 1);

        if (!n)
            return FAIL(s, "unexpected <.> in operand");
        strs_add(s->a, &o->chain, arena_strndup(s->a, s->p + 1, n));
        s->p += n + 1;
    }
    return 0;
}

static void parse_name(struct parser *s, struct operand *o) {
    size_t n = word_length(s->p);

    o->name = arena_strndup(s->a, s->p, n);
    s->p += n;
    if (!strcmp(o->name, "true") || !strcmp(o->name, "false")) {
        o->kind = OPERAND_BOOL;
        o->integer = *o->name == 't';
    } else {
        o->kind = strcmp(o->name, "nil") ? OPERAND_FUNCTION : OPERAND_NIL;
    }
}

static int parse_parentheses(struct parser *s, struct operand *o) {
    int r;

    if (++s->depth > TEMPLATE_DEPTH_MAX)
        return FAIL(s, "too many parentheses");
    s->p++;
    o->kind = OPERAND_PIPELINE;
    r = parse_pipeline(s, ')', &o->pipeline);
    s->depth--;
    if (r < 0)
        return r;
    s->p++;
    return parse_chain(s, o);
}

static int parse_operand(struct parser *s, struct operand *o) {
    const char *from = s->p;
    int r = 0;

    if (*s->p == '.' && !isdigit((unsigned char)s->p[1])) {
        o->kind = word_length(s->p + 1) ? OPERAND_FIELD : OPERAND_DOT;
        if (o->kind == OPERAND_DOT)
            s->p++;
        else
            r = parse_chain(s, o);
    } else if (*s->p == '$') {
        size_t n = word_length(s->p + 1);

        o->kind = OPERAND_VARIABLE;
        o->name = arena_strndup(s->a, s->p + 1, n);
        s->p += n + 1;
        r = parse_chain(s, o);
    } else if (*s->p == '"' || *s->p == '`' || *s->p == '\'') {
        r = parse_quoted(s, o);
    } else if (*s->p == '(') {
        r = parse_parentheses(s, o);
    } else if (isdigit((unsigned char)*s->p) ||
               ((*s->p == '-' || *s->p == '+' || *s->p == '.') && isdigit((unsigned char)s->p[1]))) {
        r = parse_number(s, o);
    } else if (word_length(s->p)) {
        parse_name(s, o);
        if (o->kind == OPERAND_FUNCTION && !template_function_find(o->name))
            r = FAIL(s, "function \"%s\" not defined", o->name);
    } else {
        r = *s->p ? FAIL(s, "unexpected \"%c\" in operand", *s->p) : FAIL(s, "unclosed action");
    }
    o->source = arena_strndup(s->a, from, (size_t)(s->p - from));
    return r;
}

/* "$x :=", "$x =", "$i, $v :=" in front of a pipeline. */
static void parse_declaration(struct parser *s, struct pipeline *pl) {
    const char *back = s->p;
    const char *names[2] = {NULL, NULL};

    for (size_t i = 0; i < 2 && *s->p == '$'; i++) {
        size_t n = word_length(s->p + 1);

        names[i] = arena_strndup(s->a, s->p + 1, n);
        s->p += n + 1;
        skip_space(s);
        if (*s->p == ',' && !i) {
            s->p++;
            skip_space(s);
            continue;
        }
        break;
    }
    if (names[0] && (!strncmp(s->p, ":=", 2) || *s->p == '=')) {
        pl->assign = *s->p == '=';
        s->p += pl->assign ? 1 : 2;
        pl->variables[0] = names[0];
        pl->variables[1] = names[1];
        skip_space(s);
        return;
    }
    s->p = back;
}

static bool at_command_end(const struct parser *s, char close) {
    return !*s->p || *s->p == '|' || (close ? *s->p == close : at_close(s));
}

/* Ends in front of "}}" (close 0) or of the closing parenthesis. */
static int parse_pipeline(struct parser *s, char close, struct pipeline **ret) {
    struct pipeline *pl = arena_new(s->a, struct pipeline);
    int r;

    pl->line = line_of(s);
    skip_space(s);
    if (!close)
        parse_declaration(s, pl);
    for (;;) {
        struct command_node *c = LIST_ADD(s->a, struct command_node, &pl->commands);

        skip_space(s);
        while (!at_command_end(s, close)) {
            r = parse_operand(s, LIST_ADD(s->a, struct operand, &c->operands));
            if (r < 0)
                return r;
            if (!is_space(*s->p) && !at_command_end(s, close) && strncmp(s->p, "}}", 2))
                return FAIL(s, "unexpected \"%c\" in operand", *s->p);
            skip_space(s);
        }
        if (!c->operands.n)
            return *s->p ? FAIL(s, "missing value for command") : FAIL(s, "unclosed action");
        if (*s->p != '|')
            break;
        s->p++;
    }
    if (close && *s->p != close)
        return FAIL(s, "unclosed left paren");
    *ret = pl;
    return 0;
}

/* The body of if, range, with up to its end, with all its else branches. */
static int parse_block(struct parser *s, struct node *node) {
    enum list_end end;
    int r;

    if (++s->depth > TEMPLATE_DEPTH_MAX)
        return FAIL(s, "blocks nested too deep");
    r = parse_pipeline(s, 0, &node->pipeline);
    if (r >= 0)
        r = eat_close(s);
    if (r < 0)
        return r;
    s->loops += node->kind == NODE_RANGE;
    r = parse_nodes(s, &node->body, &end);
    s->loops -= node->kind == NODE_RANGE;
    if (r < 0)
        return r;
    if (end == LIST_ELSE_IF || end == LIST_ELSE_WITH) {
        struct node *inner = LIST_ADD(s->a, struct node, &node->otherwise);

        inner->kind = end == LIST_ELSE_IF ? NODE_IF : NODE_WITH;
        r = parse_block(s, inner); /* takes the one {{end}} of the whole ladder */
        s->depth--;
        return r;
    }
    if (end == LIST_ELSE)
        r = parse_nodes(s, &node->otherwise, &end);
    if (r >= 0 && end != LIST_END)
        r = FAIL(s, end == LIST_EOF ? "unexpected EOF" : "expected end; found {{else}}");
    s->depth--;
    return r;
}

static bool eat_keyword(struct parser *s, const char *word) {
    size_t n = strlen(word);

    if (strncmp(s->p, word, n) || is_word(s->p[n]))
        return false;
    s->p += n;
    return true;
}

static int parse_else(struct parser *s, enum list_end *ret_end) {
    skip_space(s);
    if (eat_keyword(s, "if"))
        *ret_end = LIST_ELSE_IF;
    else if (eat_keyword(s, "with"))
        *ret_end = LIST_ELSE_WITH;
    else
        *ret_end = LIST_ELSE;
    return *ret_end == LIST_ELSE ? eat_close(s) : 0;
}

/* One action behind "{{"; *ret_end is set when it ends the list of nodes. */
static int parse_action(struct parser *s, struct list *nodes, enum list_end *ret_end, bool *ret_ends) {
    static const struct {
        const char *word;
        enum node_kind kind;
    } blocks[] = {{"if", NODE_IF}, {"range", NODE_RANGE}, {"with", NODE_WITH}},
      jumps[] = {{"break", NODE_BREAK}, {"continue", NODE_CONTINUE}};
    static const char *const absent[] = {"define", "template", "block"};
    struct node *node;
    int r;

    *ret_ends = true;
    if (eat_keyword(s, "end")) {
        *ret_end = LIST_END;
        return eat_close(s);
    }
    if (eat_keyword(s, "else"))
        return parse_else(s, ret_end);
    *ret_ends = false;
    for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
        if (eat_keyword(s, absent[i]))
            return FAIL(s, "{{%s}} is not supported", absent[i]);
    node = LIST_ADD(s->a, struct node, nodes);
    for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
        if (eat_keyword(s, blocks[i].word)) {
            node->kind = blocks[i].kind;
            return parse_block(s, node);
        }
    for (size_t i = 0; i < ARRAY_SIZE(jumps); i++)
        if (eat_keyword(s, jumps[i].word)) {
            node->kind = jumps[i].kind;
            return s->loops ? eat_close(s) : FAIL(s, "{{%s}} outside {{range}}", jumps[i].word);
        }
    node->kind = NODE_ACTION;
    r = parse_pipeline(s, 0, &node->pipeline);
    return r < 0 ? r : eat_close(s);
}

static int skip_comment(struct parser *s) {
    const char *end = strstr(s->p + 2, "*/");

    if (!end)
        return FAIL(s, "unclosed comment");
    s->p = end + 2;
    return eat_close(s);
}

static void add_text(struct parser *s, struct list *nodes, const char *from, const char *to) {
    struct node *node;

    if (from >= to)
        return;
    node = LIST_ADD(s->a, struct node, nodes);
    node->kind = NODE_TEXT;
    node->text = from;
    node->length = (size_t)(to - from);
}

static int parse_nodes(struct parser *s, struct list *ret, enum list_end *ret_end) {
    for (;;) {
        const char *open = strstr(s->p, "{{");
        const char *to = open ? open : s->p + strlen(s->p);
        bool trim, ends = false;
        int r;

        if (s->trim_next)
            while (s->p < to && is_space(*s->p))
                s->p++;
        s->trim_next = false;
        trim = open && open[2] == '-' && is_space(open[3]);
        if (trim)
            while (to > s->p && is_space(to[-1]))
                to--;
        add_text(s, ret, s->p, to);
        if (!open) {
            s->p = to;
            *ret_end = LIST_EOF;
            return 0;
        }
        s->p = open + (trim ? 3 : 2);
        skip_space(s);
        r = strncmp(s->p, "/*", 2) ? parse_action(s, ret, ret_end, &ends) : skip_comment(s);
        if (r < 0 || ends)
            return r;
    }
}

int template_parse(const char *text, struct template **ret, struct error *e) {
    _cleanup_template_ struct template *t = NULL;
    struct parser s = {.e = e};
    enum list_end end;
    int r;

    if (strlen(text) > TEMPLATE_TEXT_MAX)
        return error_set(e, -EINVAL, "template parsing error: longer than %d bytes", TEMPLATE_TEXT_MAX);
    t = calloc(1, sizeof *t);
    if (!t)
        return error_errno(e, -ENOMEM, "parse template");
    s.a = &t->arena;
    s.start = s.p = arena_strdup(&t->arena, text);
    r = parse_nodes(&s, &t->nodes, &end);
    if (r < 0)
        return r;
    if (end != LIST_EOF)
        return FAIL(&s, "unexpected {{%s}}", end == LIST_END ? "end" : "else");
    *ret = TAKE_PTR(t);
    return 0;
}

struct template *template_free(struct template *t) {
    if (t) {
        arena_release(&t->arena);
        free(t);
    }
    return NULL;
}

char *template_unescape(const char *text) {
    char *out = strdup(text), *w = out;
    bool inside = false;

    if (!out)
        abort();
    for (const char *p = text; *p; p++) {
        if (!strncmp(p, "{{", 2) || !strncmp(p, "}}", 2))
            inside = *p == '{';
        if (!inside && *p == '\\' && (p[1] == 't' || p[1] == 'n'))
            *w++ = *++p == 't' ? '\t' : '\n';
        else
            *w++ = *p;
    }
    *w = 0;
    return out;
}
