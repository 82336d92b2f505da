#include <ctype.h>
#include <string.h>

#include "cli/command.h"

static const char usage_prefix[] = "Usage:  ";

static bool is_shown(const struct option *o) {
    return !(o->flags & (OPTION_HIDDEN | OPTION_DEPRECATED));
}

static int count_shown(const struct option *o, size_t offset _unused_, void *arg) {
    *(size_t *)arg += is_shown(o);
    return 0;
}

static bool has_options(const struct option *table) {
    size_t n = 0;
    (void)options_each(table, count_shown, &n);
    return n > 0;
}

/* Options are shown in the order of their names, as Docker does, whatever the order in the table. */
struct shown {
    const struct option *v[160];
    size_t n;
    size_t width;
};

static size_t option_width(const struct option *o) {
    return strlen("  -x, --") + strlen(o->name) + (o->value ? 1 + strlen(o->value) : 0);
}

static int collect(const struct option *o, size_t offset _unused_, void *arg) {
    struct shown *s = arg;
    if (!is_shown(o) || s->n == ARRAY_SIZE(s->v))
        return 0;
    size_t at = s->n++;
    for (; at > 0 && strcmp(s->v[at - 1]->name, o->name) > 0; at--)
        s->v[at] = s->v[at - 1];
    s->v[at] = o;
    s->width = MAX_OF(s->width, option_width(o));
    return 0;
}

static void add_default(const struct option *o, struct buf *out) {
    if (!o->initial || !*o->initial)
        return;
    if (o->kind == OPTION_KIND_STR || o->kind == OPTION_KIND_LIST)
        buf_printf(out, " (default \"%s\")", o->initial);
    else
        buf_printf(out, " (default %s)", o->initial);
}

/* Text of several lines is continued under the column in which it began. */
static void add_lines(const char *text, size_t column, struct buf *out) {
    for (; *text; text++) {
        buf_add_char(out, *text);
        if (*text == '\n')
            buf_printf(out, "%*s", (int)column, "");
    }
}

void options_help(const struct option *table, struct buf *out) {
    struct shown s = {0};
    (void)options_each(table, collect, &s);
    for (size_t i = 0; i < s.n; i++) {
        const struct option *o = s.v[i];
        size_t begin = out->size;
        if (o->letter)
            buf_printf(out, "  -%c, --%s", o->letter, o->name);
        else
            buf_printf(out, "      --%s", o->name);
        if (o->value)
            buf_printf(out, " %s", o->value);
        buf_printf(out, "%*s", (int)(s.width + 3 - (out->size - begin)), "");
        add_lines(o->help, s.width + 3, out);
        add_default(o, out);
        buf_add_char(out, '\n');
    }
}

void command_usage_line(const struct command *c, struct buf *out) {
    buf_printf(out, "tare %s", c->names[0]);
    if (c->flags & COMMAND_GROUP)
        buf_add_str(out, " COMMAND");
    else if (has_options(c->options))
        buf_add_str(out, " [OPTIONS]");
    if (c->usage && *c->usage)
        buf_printf(out, " %s", c->usage);
}

static void add_aliases(const struct command *c, struct buf *out) {
    if (!c->names[1])
        return;
    buf_add_str(out, "\nAliases:\n  ");
    for (size_t i = 0; i < COMMAND_NAMES_MAX && c->names[i]; i++)
        buf_printf(out, "%stare %s", i ? ", " : "", c->names[i]);
    buf_add_char(out, '\n');
}

/* The name under which a command is a member of the group: "image ls" is "ls" in "image". NULL: no member. */
static const char *member_name(const struct command *c, const char *group) {
    size_t n = strlen(group);
    for (size_t i = 0; i < COMMAND_NAMES_MAX && c->names[i]; i++)
        if (strncmp(c->names[i], group, n) == 0 && c->names[i][n] == ' ')
            return c->names[i] + n + 1;
    return NULL;
}

static const char *top_name(const struct command *c, const char *unused _unused_) {
    return strchr(c->names[0], ' ') ? NULL : c->names[0];
}

typedef const char *name_fn(const struct command *c, const char *group);

static void add_commands(const char *title, name_fn *name_of, const char *group, unsigned mask, unsigned want, struct buf *out) {
    size_t width = 0, n = 0;
    for (size_t i = 0; commands[i]; i++) {
        const char *name = (commands[i]->flags & mask) == want ? name_of(commands[i], group) : NULL;
        if (name) {
            width = MAX_OF(width, strlen(name));
            n++;
        }
    }
    if (n == 0)
        return;
    buf_printf(out, "\n%s:\n", title);
    for (size_t i = 0; commands[i]; i++) {
        const char *name = (commands[i]->flags & mask) == want ? name_of(commands[i], group) : NULL;
        if (name)
            buf_printf(out, "  %-*s   %s\n", (int)width, name, commands[i]->summary);
    }
}

void command_help(const struct command *c, struct buf *out) {
    buf_add_str(out, usage_prefix);
    command_usage_line(c, out);
    buf_printf(out, "\n\n%s\n", c->description ? c->description : c->summary);
    if (c->flags & COMMAND_GROUP) {
        add_commands("Commands", member_name, c->names[0], COMMAND_HIDDEN, 0, out);
        buf_printf(out, "\nRun 'tare %s COMMAND --help' for more information on a command.\n", c->names[0]);
        return;
    }
    add_aliases(c, out);
    if (has_options(c->options)) {
        buf_add_str(out, "\nOptions:\n");
        options_help(c->options, out);
    }
}

void program_help(struct buf *out) {
    const unsigned kinds = COMMAND_COMMON | COMMAND_GROUP | COMMAND_HIDDEN;
    buf_printf(out, "%stare [OPTIONS] COMMAND\n\nA container engine without a daemon\n", usage_prefix);
    add_commands("Common Commands", top_name, NULL, kinds, COMMAND_COMMON, out);
    add_commands("Management Commands", top_name, NULL, kinds, COMMAND_GROUP, out);
    add_commands("Commands", top_name, NULL, kinds, 0, out);
    buf_add_str(out, "\nGlobal Options:\n");
    options_help(global_options, out);
    buf_add_str(out, "\nRun 'tare COMMAND --help' for more information on a command.\n");
}
