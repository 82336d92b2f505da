#include "cli/command.h"

static int version_run(struct cli *cli _unused_, const void *options _unused_, const struct strs *args _unused_,
                       struct error *e _unused_) {
    puts("tare version " TARE_VERSION);
    return 0;
}

const struct command command_version = {
    .names = {"version"},
    .summary = "Show the version",
    .run = version_run,
};
