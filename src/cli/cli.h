/* What every command is given: the program's own options, the roots and the handles that are opened when first asked for, and an
 * arena that lives as long as the command. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/roots.h"

struct config;
struct image_store;
struct engine;

struct global_options {
    const char *root;      /* --root */
    const char *run_root;  /* --run-root */
    const char *config;    /* --config */
    const char *log_level; /* --log-level */
    const char *host;      /* -H: accepted by `alias docker=tare` only as the local engine */
    bool debug;            /* -D */
    bool version;          /* -v */
};

struct cli {
    struct global_options global;
    struct arena arena;
    struct config *config_value; /* in the arena; use cli_config() */
    struct roots roots_value;    /* use cli_roots() */
    struct engine *engine_value;
    bool starts; /* the command starts a container (COMMAND_STARTS) */
    bool enters; /* that, or it enters one (COMMAND_ENTERS) */
};

/* Each opens at the first call and gives the same handle afterwards; owned by cli. */
/* The configuration files that count: --config alone, else the system's and the user's; absent ones are skipped, unless asked for.
 */
int cli_config(struct cli *cli, const struct config **ret, struct error *e);
int cli_roots(struct cli *cli, const struct roots **ret, struct error *e);
int cli_store(struct cli *cli, struct image_store **ret, struct error *e);
int cli_engine(struct cli *cli, struct engine **ret, struct error *e);

void cli_release(struct cli *cli);

/* A command over several names: calls `one` for each, in order. A failure (a negative errno) is printed at once, and the next name
 * gets its turn, as with Docker. Returns the command's exit status, 1 when one failed; negative with e when the roots cannot be
 * had, before any name: so `one` need not expect that. */
typedef int cli_one_fn(struct cli *cli, const char *name, void *context, struct error *e);
int cli_each(struct cli *cli, const struct strs *names, cli_one_fn *one, void *context, struct error *e);
bool cli_report(struct error *e); /* prints and releases e; true */
/* Asks "TEXT [y/N] " on the terminal as `prune` does; true for yes. */
bool cli_confirm(const char *text);
/* Opens the file; NULL and "-" are standard input, which must not be a terminal. The descriptor is the caller's. */
int cli_open_input(const char *path, struct error *e);
/* Writes to standard output; -EPIPE and the like as an error. */
/* What `-o PATH` gets: `fn` writes it. A regular file keeps its old content until the new one is whole; mode is that of the file,
 * less the umask. */
typedef int cli_output_fn(int fd, void *arg, struct error *e);
int cli_output(struct cli *cli, const char *path, mode_t mode, cli_output_fn *fn, void *arg, struct error *e);
int cli_write(const struct buf *b, struct error *e);
