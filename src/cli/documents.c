#include "cli/documents.h"

#include "cli/format.h"

#define INDENT 4

struct gathering {
    const struct json_table *table;
    document_fetch_fn *fetch;
    const void *options;
    struct strs documents;
};

static int gather(struct cli *cli, const char *name, void *context, struct error *e) {
    struct gathering *g = context;
    _cleanup_buf_ struct buf json = BUF_INIT;
    void *object = arena_alloc(&cli->arena, g->table->size);
    int r = g->fetch(cli, g->options, name, object, e);

    if (r < 0)
        return r;
    json_encode(g->table, object, INDENT, &json);
    strs_add(&cli->arena, &g->documents, arena_strdup(&cli->arena, buf_text(&json)));
    return 0;
}

int documents_print(struct cli *cli, const struct json_table *table, const char *format, document_fetch_fn *fetch,
                    const void *options, const struct strs *names, struct error *e) {
    struct gathering g = {table, fetch, options, {0}};
    _cleanup_buf_ struct buf out = BUF_INIT;
    int status = cli_each(cli, names, gather, &g, e);
    int r = status < 0 ? status : format_documents(format, &g.documents, table, &out, e);

    if (r >= 0)
        r = cli_write(&out, e);
    return r < 0 ? r : status;
}
