/* Manual pages, made from the same tables as --help: man(7) macros, read by groff and mandoc. */
#include <ctype.h>
#include <string.h>

#include "cli/command.h"

#ifndef TARE_DATE
#error "meson.build says of which day the manual is"
#endif

/* Text of the tables as roff: no line of it is a request, "-" is the minus that can be copied, lines that were indented stay so. */
static void add_text(struct buf *out, const char *text) {
    bool literal = false, first = true;

    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n', first = false) {
        size_t n = strcspn(line, "\n");
        bool indented = n > 0 && (line[0] == ' ' || line[0] == '\t');

        if (indented != literal)
            buf_add_str(out, indented ? ".nf\n" : ".fi\n");
        else if (n && !first && !literal && line[-2] != '\n')
            buf_add_str(out, ".br\n");
        literal = indented;
        if (n == 0) {
            if (line[1])
                buf_add_str(out, literal ? "\n" : ".PP\n");
            continue;
        }
        if (line[0] == '.' || line[0] == '\'')
            buf_add_str(out, "\\&");
        for (size_t i = 0; i < n; i++) {
            if (line[i] == '\\')
                buf_add_str(out, "\\e");
            else if (line[i] == '-')
                buf_add_str(out, "\\-");
            else if (line[i] == '\t')
                buf_add_str(out, "        ");
            else
                buf_add_char(out, line[i]);
        }
        buf_add_char(out, '\n');
    }
    if (literal)
        buf_add_str(out, ".fi\n");
}

/* "system df" → "system-df": as the page's file is called. */
static void add_page_name(struct buf *out, const char *name, const char *dash) {
    buf_printf(out, "tare%s", *name ? dash : "");
    for (; *name; name++)
        if (*name == ' ' || *name == '-')
            buf_add_str(out, dash);
        else
            buf_add_char(out, *name);
}

static void add_title(struct buf *out, const char *name, const char *summary) {
    size_t begin;

    buf_add_str(out, ".TH ");
    begin = out->size;
    add_page_name(out, name, "-");
    for (size_t i = begin; i < out->size; i++)
        out->data[i] = (char)toupper((unsigned char)out->data[i]);
    buf_printf(out, " 1 %s \"tare %s\" \"tare manual\"\n.SH NAME\n", TARE_DATE, TARE_VERSION);
    add_page_name(out, name, "\\-");
    buf_add_str(out, " \\- ");
    add_text(out, summary);
}

struct sorted {
    const struct option *v[200];
    size_t n;
};

static int sort_option(const struct option *o, size_t offset _unused_, void *arg) {
    struct sorted *s = arg;
    size_t at;

    if ((o->flags & (OPTION_HIDDEN | OPTION_DEPRECATED)) || s->n == ARRAY_SIZE(s->v))
        return 0;
    for (at = s->n++; at > 0 && strcmp(s->v[at - 1]->name, o->name) > 0; at--)
        s->v[at] = s->v[at - 1];
    s->v[at] = o;
    return 0;
}

static void add_bold(struct buf *out, const char *dashes, const char *name) {
    buf_printf(out, "\\fB%s", dashes);
    for (; *name; name++)
        buf_printf(out, *name == '-' ? "\\-" : "%c", *name);
    buf_add_str(out, "\\fR");
}

static void add_options(struct buf *out, const char *title, const struct option *table) {
    struct sorted s = {0};

    (void)options_each(table, sort_option, &s);
    if (s.n == 0)
        return;
    buf_printf(out, ".SH %s\n", title);
    for (size_t i = 0; i < s.n; i++) {
        const struct option *o = s.v[i];

        buf_add_str(out, ".TP\n");
        if (o->letter) {
            add_bold(out, "\\-", (const char[]){o->letter, 0});
            buf_add_str(out, ", ");
        }
        add_bold(out, "\\-\\-", o->name);
        if (o->value)
            buf_printf(out, "=\\fI%s\\fR", o->value);
        buf_add_char(out, '\n');
        add_text(out, o->help);
        if (o->initial && *o->initial) {
            buf_add_str(out, "Default: ");
            add_text(out, o->initial);
        }
    }
}

static const char *member(const struct command *c, const char *group) {
    size_t n = group ? strlen(group) : 0;

    if (c->flags & COMMAND_HIDDEN)
        return NULL;
    if (!group)
        return strchr(c->names[0], ' ') ? NULL : c->names[0];
    for (size_t i = 0; i < COMMAND_NAMES_MAX && c->names[i]; i++)
        if (strncmp(c->names[i], group, n) == 0 && c->names[i][n] == ' ')
            return c->names[i];
    return NULL;
}

static void add_commands(struct buf *out, const char *group) {
    buf_add_str(out, ".SH COMMANDS\n");
    for (size_t i = 0; commands[i]; i++) {
        const char *name = member(commands[i], group);

        if (!name)
            continue;
        buf_add_str(out, ".TP\n");
        add_bold(out, "tare ", name);
        buf_add_char(out, '\n');
        add_text(out, commands[i]->summary);
        buf_add_str(out, "See \\fB");
        add_page_name(out, commands[i]->names[0], "\\-");
        buf_add_str(out, "\\fR(1).\n");
    }
}

static const char program_tail[] = /* of tare(1) */
    ".SH EXIT STATUS\n"
    "\\fBrun\\fR and \\fBexec\\fR end with the status of the container's program, with 128 and the signal's number when a signal "
    "ended it,\n"
    "with 125 when tare failed, 126 when the program cannot be executed, 127 when it was not found.\n"
    "Other commands end with 0, or with 1 when something failed.\n"
    ".SH FILES\n"
    ".TP\n\\fI/etc/tare/tare.conf\\fR, \\fI~/.config/tare/tare.conf\\fR\nDefaults; \\fBtare info\\fR prints what counts.\n"
    ".TP\n\\fI/var/lib/tare\\fR, \\fI~/.local/share/tare\\fR\nImages, containers, volumes, networks: what lasts.\n"
    ".TP\n\\fI/run/tare\\fR, \\fI$XDG_RUNTIME_DIR/tare\\fR\nThe state of running containers: gone at the next boot.\n";

static void program_page(struct buf *out) {
    add_title(out, "", "a container engine without a daemon");
    buf_add_str(out, ".SH SYNOPSIS\n\\fBtare\\fR [OPTIONS] COMMAND\n.SH DESCRIPTION\n"
                     "tare runs containers from images in registries or archives, with Docker's commands and options.\n"
                     "No process of it stays but one small monitor beside each container.\n");
    add_options(out, "OPTIONS", global_options);
    add_commands(out, NULL);
    buf_add_str(out, program_tail);
}

static void add_synopsis(struct buf *out, const struct command *c) {
    _cleanup_buf_ struct buf line = BUF_INIT;
    const char *at;

    command_usage_line(c, &line);
    buf_add_str(out, ".SH SYNOPSIS\n");
    for (at = buf_text(&line); *at; at += strcspn(at, "\n"), at += *at == '\n') { /* a second form stands on a line of its own */
        size_t n = strcspn(at, "\n");
        char *copy = strndup(at + strspn(at, "\t"), n - strspn(at, "\t"));

        if (at != line.data)
            buf_add_str(out, ".br\n");
        if (copy)
            add_text(out, copy);
        free(copy);
    }
}

static void command_page(struct buf *out, const struct command *c) {
    add_title(out, c->names[0], c->summary);
    add_synopsis(out, c);
    buf_add_str(out, ".SH DESCRIPTION\n");
    add_text(out, c->description ? c->description : c->summary);
    if (c->names[1]) {
        buf_add_str(out, ".PP\nOther names:\n");
        for (size_t i = 1; i < COMMAND_NAMES_MAX && c->names[i]; i++) {
            add_bold(out, "tare ", c->names[i]);
            buf_add_str(out, i + 1 < COMMAND_NAMES_MAX && c->names[i + 1] ? ",\n" : ".\n");
        }
    }
    if (c->flags & COMMAND_GROUP)
        add_commands(out, c->names[0]);
    add_options(out, "OPTIONS", c->options);
    buf_add_str(out, ".SH SEE ALSO\n\\fBtare\\fR(1)\n");
}

/* Pages are named as the commands, or as their files: "system df", "system-df", "system_df". */
static const struct command *find_page(const struct strs *args) {
    for (size_t i = 0; commands[i]; i++) {
        for (size_t k = 0; k < COMMAND_NAMES_MAX && commands[i]->names[k]; k++) {
            const char *name = commands[i]->names[k], *at = name;
            bool same = true;

            for (size_t w = 0; same && w < args->n; w++) {
                same = w == 0 || *at++ == ' ';
                for (const char *p = args->v[w]; same && *p; p++, at++)
                    same = *p == *at || ((*at == ' ' || *at == '-') && (*p == '-' || *p == '_'));
            }
            if (same && !*at)
                return commands[i];
        }
    }
    return NULL;
}

static int man_run(struct cli *cli _unused_, const void *options _unused_, const struct strs *args, struct error *e) {
    const struct command *c = find_page(args);
    _cleanup_buf_ struct buf out = BUF_INIT;

    if (args->n && !c)
        return error_set(e, -EINVAL, "unknown command: tare %s%s%s", args->v[0], args->n > 1 ? " " : "",
                         args->n > 1 ? args->v[1] : "");
    if (c)
        command_page(&out, c);
    else
        program_page(&out);
    return cli_write(&out, e);
}

const struct command command_man = {
    .names = {"man"},
    .usage = "[TARE_COMMAND]",
    .summary = "Print the manual page of tare or of a command, as roff",
    .description =
        "Print the manual page of tare or of one of its commands, as roff; it is made from the same tables as --help.\n\n"
        "    tare man run | man -l -\n\n"
        "`make install` puts all pages where man finds them (man tare-run).",
    .args_min = 0,
    .args_max = 2,
    .run = man_run,
};
