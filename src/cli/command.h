/* Commands as data. Each command is one `struct command` with one table of options; parsing, --help, error messages with
 * suggestions, shell completion and manual pages all come from these tables.
 *
 *     struct tag_options { bool quiet; const char *platform; struct strs changes; };
 *     static const struct option tag_options[] = {
 *         OPTION_BOOL(struct tag_options, quiet, 'q', "quiet", "Suppress verbose output"),
 *         OPTION_STR(struct tag_options, platform, 0, "platform", "string", "Set the platform"),
 *         OPTION_LIST(struct tag_options, changes, 'c', "change", "list", "Apply Dockerfile instruction"),
 *         OPTION_END,
 *     };
 *     const struct command command_tag = {
 *         .names = {"tag", "image tag"},
 *         .usage = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
 *         .summary = "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
 *         COMMAND_OPTIONS(struct tag_options, tag_options),
 *         .args_min = 2, .args_max = 2,
 *         .run = tag_run,
 *     };
 *
 * plus one line in commands.c. The grammar is that of Docker (pflag): `-it`, `-n5`, `-n 5`, `--flag=value`, `--flag value`,
 * `--bool=false`, options and arguments mixed unless COMMAND_STOP_AT_ARGUMENT, `--` ends the options. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "cli/cli.h"

enum option_kind {
    OPTION_KIND_BOOL,     /* bool */
    OPTION_KIND_OPT_BOOL, /* struct opt_bool: tells "not given" */
    OPTION_KIND_STR,      /* const char *; NULL = not given */
    OPTION_KIND_LIST,     /* struct strs, in the order given */
    OPTION_KIND_INT,      /* int64_t; `initial` when not given */
    OPTION_KIND_OPT_INT,  /* struct opt_i64 */
    OPTION_KIND_SIZE,     /* struct opt_i64, bytes: "512m", "1.5g"; -1 is let through */
    OPTION_KIND_DURATION, /* struct opt_i64, nanoseconds: "1m30s" */
    OPTION_KIND_DECIMAL,  /* struct opt_i64, 10^-9 units: "1.5" (--cpus) */
};

enum option_flag {
    OPTION_HIDDEN = 1 << 0,     /* not in --help (aliases that old scripts use) */
    OPTION_DEPRECATED = 1 << 1, /* hidden; a warning with `help` as its text is printed when used */
    OPTION_CSV = 1 << 2,        /* of a list: "a,b" are two values */
};

struct option {
    char letter;       /* 0 = none */
    uint8_t kind;      /* enum option_kind */
    uint8_t flags;     /* enum option_flag */
    const char *name;  /* without the dashes; NULL ends the table */
    size_t offset;     /* into the command's options struct */
    const char *value; /* what the value is called in --help ("list", "bytes"); NULL for a bool */
    const char *help;
    const char *initial;           /* default as text, parsed before the command line; NULL = zero. Shown as (default …) */
    const struct option *included; /* instead of an option: the items of this table, offset by `offset` */
};

#define OPTION_AT(struct_, member, letter_, name_, kind_, value_, help_)                                                           \
    {                                                                                                                              \
        .letter = (letter_), .name = (name_), .kind = (kind_), .offset = offsetof(struct_, member), .value = (value_),             \
        .help = (help_)                                                                                                            \
    }
#define OPTION_BOOL(struct_, member, letter_, name_, help_)                                                                        \
    OPTION_AT(struct_, member, letter_, name_, OPTION_KIND_BOOL, NULL, help_)
#define OPTION_STR(struct_, member, letter_, name_, value_, help_)                                                                 \
    OPTION_AT(struct_, member, letter_, name_, OPTION_KIND_STR, value_, help_)
#define OPTION_LIST(struct_, member, letter_, name_, value_, help_)                                                                \
    OPTION_AT(struct_, member, letter_, name_, OPTION_KIND_LIST, value_, help_)
/* The same with flags and a default value. */
#define OPTION_FULL(struct_, member, letter_, name_, kind_, value_, flags_, initial_, help_)                                       \
    {                                                                                                                              \
        .letter = (letter_), .name = (name_), .kind = (kind_), .offset = offsetof(struct_, member), .value = (value_),             \
        .flags = (flags_), .initial = (initial_), .help = (help_)                                                                  \
    }
/* All options of another table, whose struct is embedded here as `member`. */
#define OPTION_INCLUDE(struct_, member, table_)                                                                                    \
    { .name = "", .included = (table_), .offset = offsetof(struct_, member) }
#define OPTION_END                                                                                                                 \
    { .name = NULL }

#define COMMAND_NAMES_MAX 6 /* the last one stays NULL */
#define COMMAND_ARGS_ANY  (-1)

enum command_flag {
    COMMAND_STOP_AT_ARGUMENT = 1 << 0, /* what follows the first argument is not parsed (run, create, exec) */
    COMMAND_COMMON = 1 << 1,           /* listed first in `tare --help` */
    COMMAND_HIDDEN = 1 << 2,
    COMMAND_GROUP = 1 << 3,      /* "image": has sub-commands and does nothing itself */
    COMMAND_RAW_ARGS = 1 << 4,   /* nothing is parsed: all words are arguments */
    COMMAND_STARTS = 1 << 6,     /* may start a container: see rootless_enter() */
    COMMAND_ENTERS = 1 << 7,     /* enters one: see delegation_enter() */
    COMMAND_ERROR_HELP = 1 << 5, /* errors end with a pointer to --help, and status 125, as `docker run` does */
};

struct command {
    const char *names[COMMAND_NAMES_MAX]; /* the first is the one that usage lines show; "image ls" is a name of two words */
    const char *usage;                    /* what follows the name and [OPTIONS]: "IMAGE [COMMAND] [ARG...]" */
    const char *summary;                  /* one line */
    const char *description;              /* longer text for --help; NULL = summary */
    const struct option *options;         /* NULL = none */
    size_t options_size;                  /* of the options struct, which is zeroed and given to run() */
    int args_min, args_max;               /* COMMAND_ARGS_ANY = no upper bound */
    unsigned flags;
    /* Returns the exit status (>= 0) or a negative errno with e. Prints its answer on standard output. */
    int (*run)(struct cli *cli, const void *options, const struct strs *args, struct error *e);
};

#define COMMAND_OPTIONS(struct_, table_) .options = (table_), .options_size = sizeof(struct_)

/* Every command, in the order of --help (commands.c); NULL ends the list. */
extern const struct command *const commands[];

/* Options in front of the command: --root, --debug, … Read from global.c; for help and completion. */
extern const struct option global_options[];

/* Finds the command that the words begin with ("container", "ls" → 2 words). NULL: none. */
const struct command *command_find(const char *const *words, size_t n, size_t *ret_used);

/* Parses words (without the command's name) into `options` (of command->options_size, zeroed by the caller) and `ret_args`.
 * -EINVAL with Docker's text. ret_help: --help or -h (where -h is no option) was met; nothing after it counts. */
int command_parse(const struct command *c, const char *const *words, size_t n, struct arena *a, void *options,
                  struct strs *ret_args, bool *ret_help, struct error *e);
/* Parses options at the front of words up to the first other word; returns how many words were used. */
int options_parse_front(const struct option *table, const char *const *words, size_t n, struct arena *a, void *options,
                        bool *ret_help, struct error *e);

void command_help(const struct command *c, struct buf *out);
void command_usage_line(const struct command *c, struct buf *out); /* "tare run [OPTIONS] IMAGE [COMMAND] [ARG...]" */
void options_help(const struct option *table, struct buf *out);
void program_help(struct buf *out);

/* Calls fn for each option, those of included tables too, with its full offset. fn's non-zero result ends the walk. */
typedef int option_each_fn(const struct option *o, size_t offset, void *arg);
int options_each(const struct option *table, option_each_fn *fn, void *arg);

/* The whole program: global options, command, its help and its errors. Returns the exit status. */
int cli_main(int argc, char *const argv[]);
