/* The answers of `image inspect`, `volume inspect` and their like: one JSON document for each name, all printed at the end, also
 * when some names were not found. */
#pragma once

#include "base/json.h"
#include "cli/cli.h"

/* Fills in the object of this name; what it points to lives in cli->arena. options: the command's own. */
typedef int document_fetch_fn(struct cli *cli, const void *options, const char *name, void *object, struct error *e);

/* Opens each name and prints the objects, of the type that `table` describes, by `format` (format_documents). A name that cannot be
 * opened is reported, and the next one gets its turn. The command's exit status, or a negative errno with e. */
int documents_print(struct cli *cli, const struct json_table *table, const char *format, document_fetch_fn *fetch,
                    const void *options, const struct strs *names, struct error *e);
