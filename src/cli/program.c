#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "cli/command.h"
#include "cli/suggest.h"
#include "oci/oci.h"

#define G struct global_options
const struct option global_options[] = {
    OPTION_STR(G, root, 0, "root", "string", "Where containers, images and volumes are kept"),
    OPTION_STR(G, run_root, 0, "run-root", "string", "Where the state of running containers is kept"),
    OPTION_STR(G, config, 0, "config", "string", "Configuration file, instead of the system's and the user's tare.conf"),
    OPTION_FULL(G, log_level, 'l', "log-level", OPTION_KIND_STR, "string", 0, NULL,
                "Set the logging level (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")"),
    OPTION_BOOL(G, debug, 'D', "debug", "Enable debug mode"),
    OPTION_BOOL(G, version, 'v', "version", "Print version information and quit"),
    OPTION_END,
};
#undef G

static bool has_name(const struct command *c, const char *name) {
    for (size_t i = 0; i < COMMAND_NAMES_MAX && c->names[i]; i++)
        if (strcmp(c->names[i], name) == 0)
            return true;
    return false;
}

static const struct command *find_by_name(const char *name) {
    for (size_t i = 0; commands[i]; i++)
        if (has_name(commands[i], name))
            return commands[i];
    return NULL;
}

const struct command *command_find(const char *const *words, size_t n, size_t *ret_used) {
    if (n == 0)
        return NULL;
    if (n > 1) {
        char pair[128];
        int size = snprintf(pair, sizeof(pair), "%s %s", words[0], words[1]);
        const struct command *c = size < (int)sizeof(pair) ? find_by_name(pair) : NULL;
        if (c) {
            *ret_used = 2;
            return c;
        }
    }
    const struct command *c = find_by_name(words[0]);
    if (c)
        *ret_used = 1;
    return c;
}

static int print_help(const struct command *c) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    if (c)
        command_help(c, &out);
    else
        program_help(&out);
    fputs(buf_text(&out), stdout);
    return 0;
}

/* Docker's shape of an error in the words of the command line: what is wrong, how the command is used, where to read more. */
static void print_usage_error(const struct command *c, const struct error *e) {
    _cleanup_buf_ struct buf line = BUF_INIT;
    _cleanup_free_ char *sentence = error_sentence(e);
    if (!c) {
        fprintf(stderr, "tare: %s\n\nRun 'tare --help' for more information\n", sentence);
        return;
    }
    command_usage_line(c, &line);
    fprintf(stderr, "%s%s\n\nUsage:  %s\n\nRun 'tare %s --help' for more information\n",
            e->status == EXIT_ENGINE ? "" : "tare: ", sentence, buf_text(&line), c->names[0]);
}

static int fail(const struct command *c, struct error *e) {
    _cleanup_free_ char *sentence = error_sentence(e);
    if (c->flags & COMMAND_ERROR_HELP) {
        fprintf(stderr, "tare: %s\n\nRun 'tare %s --help' for more information\n", sentence, c->names[0]);
        return e->status ? e->status : EXIT_ENGINE;
    }
    /* Without a text the command has already said what went wrong. */
    if (e->text)
        fprintf(stderr, "Error: %s\n", sentence);
    return e->status ? e->status : 1;
}

static int run_command(struct cli *cli, const struct command *c, const char *const *words, size_t n) {
    _cleanup_error_ struct error e = ERROR_INIT;
    struct strs args = {0};
    bool help = false;
    void *options = arena_alloc(&cli->arena, c->options_size + 1);
    int r = command_parse(c, words, n, &cli->arena, options, &args, &help, &e);
    if (r < 0) {
        print_usage_error(c, &e);
        return e.status ? e.status : 1;
    }
    if (help)
        return print_help(c);
    cli->starts = c->flags & COMMAND_STARTS;
    cli->enters = c->flags & (COMMAND_STARTS | COMMAND_ENTERS);
    r = c->run(cli, options, &args, &e);
    /* What was written to standard output only counts once it is out: a full disk must not look like success. */
    if (fflush(stdout) != 0 && r == 0 && errno != EPIPE)
        r = error_errno(&e, -errno, "write standard output");
    return r < 0 ? fail(c, &e) : r;
}

static int unknown_command(const struct command *group, const char *word) {
    _cleanup_error_ struct error e = ERROR_INIT;
    error_set(&e, -EINVAL, "unknown command: tare %s%s%s", group ? group->names[0] : "", group ? " " : "", word);
    const char *like = group ? NULL : suggest_command(word);
    if (!group && strcmp(word, "oci") == 0)
        error_hint(&e, "it stands first, and takes options of its own: tare oci --root …");
    else if (like)
        error_hint(&e, "did you mean 'tare %s'?", like);
    if (group)
        error_status(&e, 1);
    print_usage_error(group, &e);
    return 1;
}

static int set_log_level(const struct global_options *g, struct error *e) {
    if (g->debug)
        log_level = LOG_LEVEL_DEBUG;
    if (g->log_level && log_level_parse(g->log_level, &log_level) < 0)
        return error_set(e, -EINVAL, "unable to parse logging level: %s", g->log_level);
    return 0;
}

static int dispatch(struct cli *cli, const char *const *words, size_t n) {
    size_t used = 0;
    const struct command *c = command_find(words, n, &used);
    if (!c && n > 1 && strcmp(words[0], "help") == 0) {
        c = command_find(words + 1, n - 1, &used);
        return c ? print_help(c) : unknown_command(NULL, words[1]);
    }
    if (!c)
        return strcmp(words[0], "help") == 0 ? print_help(NULL) : unknown_command(NULL, words[0]);
    if (!(c->flags & COMMAND_GROUP))
        return run_command(cli, c, words + used, n - used);
    const char *word = n > 1 ? words[1] : "--help";
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
        return print_help(c);
    return unknown_command(c, word);
}

int cli_main(int argc, char *const argv[]) {
    _cleanup_error_ struct error e = ERROR_INIT;
    struct cli cli = {.roots_value = ROOTS_INIT};
    const char *const *words = (const char *const *)argv + 1;
    size_t n = argc > 0 ? (size_t)argc - 1 : 0;
    bool help = false;
    int status;

    /* It has a command line of its own, runc's. */
    if (n > 0 && strcmp(words[0], "oci") == 0)
        return oci_main(argc - 2, words + 1);
    int used = options_parse_front(global_options, words, n, &cli.arena, &cli.global, &help, &e);
    if (used >= 0 && set_log_level(&cli.global, &e) < 0)
        used = -EINVAL;
    if (used < 0) {
        print_usage_error(NULL, &e);
        status = EXIT_ENGINE;
    } else if (cli.global.version) {
        puts("tare version " TARE_VERSION);
        status = 0;
    } else if (help || (size_t)used == n) {
        status = print_help(NULL);
    } else {
        status = dispatch(&cli, words + used, n - (size_t)used);
    }
    cli_release(&cli);
    return status;
}
