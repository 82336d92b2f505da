#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/suggest.h"
#include "model/units.h"

/* One option with its place in the options struct, tables that include others flattened. */
struct target {
    const struct option *option;
    size_t offset;
};

struct lookup {
    const char *name; /* NULL: by letter */
    size_t name_length;
    char letter;
    struct target *ret;
};

static int walk(const struct option *table, size_t base, option_each_fn *fn, void *arg) {
    for (const struct option *o = table; o && o->name; o++) {
        int r = o->included ? walk(o->included, base + o->offset, fn, arg) : fn(o, base + o->offset, arg);
        if (r != 0)
            return r;
    }
    return 0;
}

int options_each(const struct option *table, option_each_fn *fn, void *arg) {
    return walk(table, 0, fn, arg);
}

static int match(const struct option *o, size_t offset, void *arg) {
    const struct lookup *l = arg;
    bool hit = l->name ? strlen(o->name) == l->name_length && memcmp(o->name, l->name, l->name_length) == 0
                       : o->letter != 0 && o->letter == l->letter;
    if (!hit)
        return 0;
    *l->ret = (struct target){o, offset};
    return 1;
}

static bool find_name(const struct option *table, const char *name, size_t n, struct target *ret) {
    struct lookup l = {.name = name, .name_length = n, .ret = ret};
    return options_each(table, match, &l) == 1;
}

static bool find_letter(const struct option *table, char letter, struct target *ret) {
    struct lookup l = {.letter = letter, .ret = ret};
    return options_each(table, match, &l) == 1;
}

static bool takes_value(const struct option *o) {
    return o->kind != OPTION_KIND_BOOL && o->kind != OPTION_KIND_OPT_BOOL;
}

static void add_csv(struct arena *a, struct strs *list, const char *value) {
    for (;;) {
        size_t n = strcspn(value, ",");
        strs_add(a, list, arena_strndup(a, value, n));
        if (!value[n])
            return;
        value += n + 1;
    }
}

static int set_number(const struct option *o, const char *value, int64_t *ret, struct error *e) {
    int r;
    switch (o->kind) {
    case OPTION_KIND_SIZE: return size_parse(value, ret, e);
    case OPTION_KIND_DECIMAL: return nano_parse(value, ret, e);
    case OPTION_KIND_DURATION:
        r = duration_parse(value, ret);
        return r < 0 ? error_set(e, r, "time: invalid duration \"%s\"", value) : 0;
    default:
        r = int_parse(value, INT64_MIN, INT64_MAX, ret);
        if (r < 0)
            return error_set(e, r, "strconv.ParseInt: parsing \"%s\": %s", value,
                             r == -ERANGE ? "value out of range" : "invalid syntax");
        return 0;
    }
}

/* Stores the value; e gets the reason only. */
static int store(const struct target *t, const char *value, struct arena *a, void *options, struct error *e) {
    void *at = (char *)options + t->offset;
    bool b = false;
    int64_t n = 0;
    switch (t->option->kind) {
    case OPTION_KIND_BOOL:
    case OPTION_KIND_OPT_BOOL:
        if (bool_parse(value, &b) < 0)
            return error_set(e, -EINVAL, "strconv.ParseBool: parsing \"%s\": invalid syntax", value);
        if (t->option->kind == OPTION_KIND_BOOL)
            *(bool *)at = b;
        else
            *(struct opt_bool *)at = (struct opt_bool){true, b};
        return 0;
    case OPTION_KIND_STR: *(const char **)at = value; return 0;
    case OPTION_KIND_LIST:
        if (t->option->flags & OPTION_CSV)
            add_csv(a, at, value);
        else
            strs_add(a, at, value);
        return 0;
    default: break;
    }
    int r = set_number(t->option, value, &n, e);
    if (r < 0)
        return r;
    if (t->option->kind == OPTION_KIND_INT)
        *(int64_t *)at = n;
    else
        *(struct opt_i64 *)at = (struct opt_i64){true, n};
    return 0;
}

static int set_option(const struct target *t, const char *value, struct arena *a, void *options, struct error *e) {
    const struct option *o = t->option;
    struct error why = ERROR_INIT;
    int r = store(t, value, a, options, &why);
    if (r < 0) {
        if (o->letter)
            error_set(e, r, "invalid argument \"%s\" for \"-%c, --%s\" flag: %s", value, o->letter, o->name, why.text);
        else
            error_set(e, r, "invalid argument \"%s\" for \"--%s\" flag: %s", value, o->name, why.text);
        error_release(&why);
        return r;
    }
    if (o->flags & OPTION_DEPRECATED)
        fprintf(stderr, "Flag --%s has been deprecated, %s\n", o->name, o->help);
    return 0;
}

struct parser {
    const struct option *table;
    const char *const *words;
    size_t n, at;
    struct arena *arena;
    void *options;
    bool help;
};

static int parse_long(struct parser *p, const char *word, struct error *e) {
    const char *name = word + 2;
    size_t n = strcspn(name, "=");
    struct target t;
    if (!find_name(p->table, name, n, &t)) {
        if (n == 4 && memcmp(name, "help", 4) == 0) {
            p->help = true;
            return 0;
        }
        error_set(e, -EINVAL, "unknown flag: --%.*s", (int)n, name);
        const char *like = suggest_option(p->table, name, n);
        return like ? error_hint(e, "did you mean --%s?", like) : -EINVAL;
    }
    const char *value = name[n] == '=' ? name + n + 1 : NULL;
    if (!value && !takes_value(t.option))
        value = "true";
    if (!value) {
        if (p->at >= p->n)
            return error_set(e, -EINVAL, "flag needs an argument: --%s", t.option->name);
        value = p->words[p->at++];
    }
    return set_option(&t, value, p->arena, p->options, e);
}

static int parse_letters(struct parser *p, const char *word, struct error *e) {
    for (const char *c = word + 1; *c; c++) {
        struct target t;
        if (!find_letter(p->table, *c, &t)) {
            if (*c == 'h') {
                p->help = true;
                return 0;
            }
            return error_set(e, -EINVAL, "unknown shorthand flag: '%c' in %s", *c, word);
        }
        const char *value = c[1] == '=' ? c + 2 : NULL;
        if (!value && !takes_value(t.option)) {
            int r = set_option(&t, "true", p->arena, p->options, e);
            if (r < 0)
                return r;
            continue;
        }
        if (!value && c[1])
            value = c + 1;
        if (!value) {
            if (p->at >= p->n)
                return error_set(e, -EINVAL, "flag needs an argument: '%c' in %s", *c, word);
            value = p->words[p->at++];
        }
        return set_option(&t, value, p->arena, p->options, e);
    }
    return 0;
}

static int set_initial(const struct option *o, size_t offset, void *arg) {
    struct parser *p = arg;
    struct target t = {o, offset};
    return o->initial ? store(&t, o->initial, p->arena, p->options, NULL) : 0;
}

static bool is_option(const char *word) {
    return word[0] == '-' && word[1];
}

static int parse_option(struct parser *p, struct error *e) {
    const char *word = p->words[p->at++];
    return word[1] == '-' ? parse_long(p, word, e) : parse_letters(p, word, e);
}

int options_parse_front(const struct option *table, const char *const *words, size_t n, struct arena *a, void *options,
                        bool *ret_help, struct error *e) {
    struct parser p = {.table = table, .words = words, .n = n, .arena = a, .options = options};
    (void)options_each(table, set_initial, &p);
    while (p.at < n && is_option(words[p.at]) && !p.help) {
        int r = parse_option(&p, e);
        if (r < 0)
            return r;
    }
    *ret_help = p.help;
    return (int)p.at;
}

static int check_count(const struct command *c, size_t n, struct error *e) {
    int have = (int)n;
    const char *what = NULL;
    int bound = c->args_min;
    if (c->args_min == c->args_max && have != c->args_min)
        what = c->args_min == 0 ? "accepts no arguments" : "requires";
    else if (have < c->args_min)
        what = "requires at least";
    else if (c->args_max != COMMAND_ARGS_ANY && have > c->args_max) {
        what = "requires at most";
        bound = c->args_max;
    }
    if (!what)
        return 0;
    if (bound == 0)
        return error_set(e, -EINVAL, "'tare %s' accepts no arguments", c->names[0]);
    return error_set(e, -EINVAL, "'tare %s' %s %d argument%s", c->names[0], what, bound, bound == 1 ? "" : "s");
}

int command_parse(const struct command *c, const char *const *words, size_t n, struct arena *a, void *options,
                  struct strs *ret_args, bool *ret_help, struct error *e) {
    struct parser p = {.table = c->options, .words = words, .n = n, .arena = a, .options = options};
    struct strs args = {0};
    bool ended = c->flags & COMMAND_RAW_ARGS;
    (void)options_each(c->options, set_initial, &p);
    while (p.at < n && !p.help) {
        const char *word = words[p.at];
        if (!ended && strcmp(word, "--") == 0) {
            p.at++;
            ended = true;
        } else if (ended || !is_option(word)) {
            strs_add(a, &args, word);
            p.at++;
            ended = ended || (c->flags & COMMAND_STOP_AT_ARGUMENT);
        } else {
            int r = parse_option(&p, e);
            if (r < 0)
                return error_status(e, EXIT_ENGINE), r;
        }
    }
    *ret_help = p.help;
    *ret_args = args;
    return p.help ? 0 : check_count(c, args.n, e);
}
