#include <string.h>

#include "cli/command.h"
#include "cli/format.h"
#include "engine/check.h"
#include "engine/list.h"
#include "engine/volume.h"
#include "image/image.h"
#include "model/units.h"

/* --- check ---------------------------------------------------------------------------------------------------------------------
 */

static const struct option check_table[] = {
    OPTION_BOOL(struct check_options, repair, 0, "repair", "Undo and mend what is found"),
    OPTION_BOOL(struct check_options, quick, 0, "quick", "Do not read the images' blobs to compare their digests"),
    OPTION_END,
};

static int check_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct list findings = {0};
    struct engine *engine;
    size_t open = 0;
    int r = cli_engine(cli, &engine, e);

    if (r >= 0)
        r = engine_check(engine, options, &cli->arena, &findings, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < findings.n; i++) {
        const struct check_finding *f = LIST_AT(struct check_finding, &findings, i);

        buf_printf(&out, "%s: %s\n", f->repaired ? "repaired" : "found", f->text);
        open += !f->repaired;
    }
    if (findings.n == 0)
        buf_add_str(&out, "all is well\n");
    r = cli_write(&out, e);
    return r < 0 ? r : open > 0 ? 1 : 0;
}

const struct command command_system_check = {
    .names = {"system check"},
    .summary = "Look for what a crash left behind: journals, torn files, wrong digests",
    .description =
        "Look for what a crash left behind: journals without a living owner, torn files, blobs and layers that are not what\n"
        "they should be. Ends with 1 when something is left to be mended. What cannot be mended is set aside in the data root's\n"
        "folder torn/, with --repair; pulling the image again brings it back.",
    COMMAND_OPTIONS(struct check_options, check_table),
    .run = check_run,
};

/* --- reset ---------------------------------------------------------------------------------------------------------------------
 */

struct reset_options {
    bool force;
};

static const struct option reset_table[] = {
    OPTION_BOOL(struct reset_options, force, 'f', "force", "Do not prompt for confirmation"),
    OPTION_END,
};

static int reset_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    const struct reset_options *o = options;
    struct engine *engine;
    int r;

    if (!o->force && !cli_confirm("WARNING! This will kill all containers and remove them, all images, volumes and networks.\n"
                                  "Are you sure you want to continue?"))
        return 0;
    r = cli_engine(cli, &engine, e);
    return r < 0 ? r : engine_reset(engine, e);
}

const struct command command_system_reset = {
    .names = {"system reset"},
    .summary = "Remove everything that tare has made on this machine",
    COMMAND_OPTIONS(struct reset_options, reset_table),
    .run = reset_run,
};
