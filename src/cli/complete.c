#include "cli/complete.h"

#include <string.h>

void completion_offer(struct completion *c, const char *text, const char *help) {
    if (!text || strncmp(text, c->word, strlen(c->word)) != 0)
        return;
    buf_printf(&c->out, "%s%s\t%.*s\n", c->front, text, help ? (int)strcspn(help, "\n") : 0, help ? help : "");
}

/* --- values ----------------------------------------------------------------------------------------------------------------------
 */

enum kind { NOTHING, CONTAINERS, RUNNING, CONTAINER_PATHS, IMAGES, NETWORKS, VOLUMES, ANYTHING, FILES, WORDS, COMMANDS };

/* What an option's value can be, by the option's name; the same in every command that has it. Words are separated by blanks. */
static const struct {
    const char *name;
    enum kind kind;
    const char *words;
} values[] = {
    {"attach", WORDS, "stdin stdout stderr"},
    {"cgroupns", WORDS, "host private"},
    {"cidfile", FILES, NULL},
    {"config", FILES, NULL},
    {"driver", WORDS, "bridge host ipvlan local macvlan none"},
    {"env-file", FILES, NULL},
    {"format", WORDS, "json table"},
    {"health-on-failure", WORDS, "kill none restart stop"},
    {"input", FILES, NULL},
    {"ipc", WORDS, "container: host none private shareable"},
    {"isolate", WORDS, "false true"},
    {"label-file", FILES, NULL},
    {"log-driver", WORDS, "journald json-file local none syslog"},
    {"log-level", WORDS, "debug error fatal info warn"},
    {"network", NETWORKS, "container: host none"},
    {"output", FILES, NULL},
    {"pid", WORDS, "container: host"},
    {"pull", WORDS, "always missing never newer"},
    {"restart", WORDS, "always no on-failure on-unhealthy unless-stopped"},
    {"root", FILES, NULL},
    {"run-root", FILES, NULL},
    {"signal", WORDS, "HUP INT KILL QUIT TERM USR1 USR2"},
    {"type", WORDS, "container image network volume"},
    {"userns", WORDS, "auto host keep-id nomap"},
    {"uts", WORDS, "host"},
    {"volume", VOLUMES, NULL},
    {"volumes-from", CONTAINERS, NULL},
};

static void offer_words(struct completion *c, const char *words) {
    while (words && *words) {
        size_t n = strcspn(words, " ");

        completion_offer(c, arena_strndup(&c->cli->arena, words, n), NULL);
        words += n + (words[n] == ' ');
    }
}

static void offer_commands(struct completion *c, const char *group) {
    size_t length = group ? strlen(group) : 0;

    for (size_t i = 0; commands[i]; i++) {
        for (size_t k = 0; k < COMMAND_NAMES_MAX && commands[i]->names[k]; k++) {
            const char *name = commands[i]->names[k];

            if (commands[i]->flags & COMMAND_HIDDEN)
                continue;
            if (!group && !strchr(name, ' '))
                completion_offer(c, name, commands[i]->summary);
            else if (group && strncmp(name, group, length) == 0 && name[length] == ' ')
                completion_offer(c, name + length + 1, commands[i]->summary);
        }
    }
}

static void offer(struct completion *c, enum kind kind, const char *words) {
    offer_words(c, words);
    switch (kind) {
    case CONTAINERS: complete_containers(c, false, ""); break;
    case RUNNING: complete_containers(c, true, ""); break;
    case CONTAINER_PATHS:
        complete_containers(c, false, ":");
        c->files = c->open = true;
        break;
    case IMAGES: complete_images(c); break;
    case NETWORKS: complete_networks(c); break;
    case VOLUMES: complete_volumes(c); break;
    case ANYTHING:
        complete_containers(c, false, "");
        complete_images(c);
        complete_networks(c);
        complete_volumes(c);
        break;
    case COMMANDS: offer_commands(c, NULL); break;
    case FILES: c->files = true; break;
    default: break;
    }
}

static void offer_value(struct completion *c, const struct option *o) {
    if (o->kind == OPTION_KIND_BOOL || o->kind == OPTION_KIND_OPT_BOOL) {
        offer_words(c, "false true");
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        if (strcmp(values[i].name, o->name) == 0)
            offer(c, values[i].kind, values[i].words);
    if (strcmp(o->name, "volume") == 0) /* NAME:PATH or a directory of the host */
        c->files = c->open = true;
}

/* --- options ---------------------------------------------------------------------------------------------------------------------
 */

static int offer_option(const struct option *o, size_t offset _unused_, void *arg) {
    struct completion *c = arg;

    if (o->flags & (OPTION_HIDDEN | OPTION_DEPRECATED))
        return 0;
    completion_offer(c, arena_printf(&c->cli->arena, "--%s", o->name), o->help);
    if (o->letter && !c->word[1]) /* "-": letters too; "--": names only */
        completion_offer(c, arena_printf(&c->cli->arena, "-%c", o->letter), o->help);
    return 0;
}

struct wanted {
    const char *name;
    size_t n;
    char letter;
    const struct option *found;
};

static int is_wanted(const struct option *o, size_t offset _unused_, void *arg) {
    struct wanted *w = arg;
    bool hit = w->name ? strlen(o->name) == w->n && memcmp(o->name, w->name, w->n) == 0 : o->letter && o->letter == w->letter;

    if (hit)
        w->found = o;
    return hit;
}

/* The option that a word is, whose value is the next word; NULL: it is none, or has its value with it. */
static const struct option *awaits_value(const struct option *table, const char *word) {
    struct wanted w = {0};

    if (word[0] != '-' || !word[1] || strchr(word, '='))
        return NULL;
    if (word[1] == '-') {
        w.name = word + 2;
        w.n = strlen(w.name);
        (void)options_each(table, is_wanted, &w);
        return w.found && w.found->kind != OPTION_KIND_BOOL && w.found->kind != OPTION_KIND_OPT_BOOL ? w.found : NULL;
    }
    for (const char *l = word + 1; *l; l++) { /* -it, -n5 */
        w = (struct wanted){.letter = *l};
        (void)options_each(table, is_wanted, &w);
        if (!w.found)
            return NULL;
        if (w.found->kind != OPTION_KIND_BOOL && w.found->kind != OPTION_KIND_OPT_BOOL)
            return l[1] ? NULL : w.found;
    }
    return NULL;
}

static void offer_options(struct completion *c, const struct option *table) {
    const char *equals = strchr(c->word, '=');
    struct wanted w = {.name = c->word + 2};

    if (!equals || strncmp(c->word, "--", 2) != 0) {
        (void)options_each(table, offer_option, c);
        completion_offer(c, "--help", "Print usage");
        return;
    }
    w.n = (size_t)(equals - w.name);
    (void)options_each(table, is_wanted, &w);
    if (!w.found)
        return;
    c->front = arena_strndup(&c->cli->arena, c->word, w.n + 3);
    c->word = equals + 1;
    offer_value(c, w.found);
}

/* --- arguments: what the usage line calls them
 * ------------------------------------------------------------------------------------ */

/* Commands whose containers must be running to make sense. */
static bool wants_running(const struct command *command) {
    static const char *const names[] = {"attach", "exec", "kill", "pause", "port", "stats", "stop", "top", "unpause"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(command->names[0], names[i]) == 0)
            return true;
    return false;
}

/* In this order: "NAME|ID" is anything, "CONTAINER:SRC_PATH" a container's path. */
static const struct {
    const char *word;
    enum kind kind;
} arguments[] = {
    {"CONTAINER:", CONTAINER_PATHS},
    {"NAME|ID", ANYTHING},
    {"CONTAINER", CONTAINERS},
    {"SHELL", WORDS},
    {"TARE_COMMAND", COMMANDS},
    {"IMAGE", IMAGES},
    {"NAME[:TAG", IMAGES},
    {"REPOSITORY", IMAGES},
    {"NETWORK", NETWORKS},
    {"VOLUME", VOLUMES},
    {"file", FILES},
    {"PATH", FILES},
    {"OPTIONS", NOTHING},
};

static void offer_argument(struct completion *c, const struct command *command, size_t index) {
    const char *word = command->usage ? command->usage : "", *at = word;

    /* The index-th word of the usage line; the last one for all that follow. */
    for (size_t i = 0; *at && *at != '\n'; i++) {
        word = at;
        at += strcspn(at, " \n");
        at += *at == ' ';
        if (i == index)
            break;
    }
    word = arena_strndup(&c->cli->arena, word, strcspn(word, " \n"));
    for (size_t i = 0; i < ARRAY_SIZE(arguments); i++) {
        enum kind kind = arguments[i].kind;

        if (!strstr(word, arguments[i].word))
            continue;
        if (kind == CONTAINERS && wants_running(command))
            kind = RUNNING;
        offer(c, kind, kind == WORDS ? "bash fish zsh" : NULL);
        return;
    }
}

static void complete_command(struct completion *c, const struct command *command, const char *const *words, size_t n) {
    const struct option *waiting = NULL;
    size_t arguments_before = 0;
    bool ended = command->flags & COMMAND_RAW_ARGS;

    for (size_t i = 0; i + 1 < n; i++) {
        if (waiting) {
            waiting = NULL;
        } else if (!ended && strcmp(words[i], "--") == 0) {
            ended = true;
        } else if (!ended && words[i][0] == '-' && words[i][1]) {
            waiting = awaits_value(command->options, words[i]);
        } else {
            arguments_before++;
            ended = ended || (command->flags & COMMAND_STOP_AT_ARGUMENT);
        }
    }
    if (waiting)
        offer_value(c, waiting);
    else if (!ended && c->word[0] == '-')
        offer_options(c, command->options);
    else if (arguments_before > 0 && (command->flags & COMMAND_STOP_AT_ARGUMENT))
        c->files = true; /* a program's own words */
    else
        offer_argument(c, command, arguments_before);
}

/* --- the whole line
 * --------------------------------------------------------------------------------------------------------------- */

static void complete_line(struct completion *c, const char *const *words, size_t n) {
    const struct command *command;
    size_t used = 0, at = 0;
    bool help = false;

    /* The line's own --root and the like say where to look for names. */
    while (at + 1 < n && words[at][0] == '-')
        at += awaits_value(global_options, words[at]) ? 2 : 1;
    if (at >= n) {
        offer_value(c, awaits_value(global_options, words[n - 2]));
        return;
    }
    if (options_parse_front(global_options, words, at, &c->cli->arena, &c->cli->global, &help, NULL) < 0)
        return;
    words += at;
    n -= at;
    if (n == 1 && words[0][0] == '-')
        return offer_options(c, global_options);
    if (n == 1)
        return offer_commands(c, NULL);
    if (strcmp(words[0], "help") == 0)
        return offer_commands(c, n == 2 ? NULL : words[1]);
    command = command_find(words, n - 1, &used);
    if (command && (command->flags & COMMAND_GROUP) && n == used + 1)
        offer_commands(c, command->names[0]);
    else if (command && !(command->flags & COMMAND_GROUP))
        complete_command(c, command, words + used, n - used);
}

static int complete_run(struct cli *cli, const void *options _unused_, const struct strs *args, struct error *e) {
    struct completion c = {.cli = cli, .front = "", .out = BUF_INIT};
    int r;

    if (args->n == 0)
        return 0;
    c.word = args->v[args->n - 1];
    complete_line(&c, args->v, args->n);
    buf_printf(&c.out, ":%s%s\n", c.files ? "files" : "", c.open ? " open" : "");
    r = cli_write(&c.out, e);
    buf_release(&c.out);
    return r;
}

const struct command command_complete = {
    .names = {"__complete"},
    .usage = "WORD...",
    .summary = "Say what can come next on a command line (for the shells)",
    .args_min = 0,
    .args_max = COMMAND_ARGS_ANY,
    .flags = COMMAND_HIDDEN | COMMAND_RAW_ARGS,
    .run = complete_run,
};
