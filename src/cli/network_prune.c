#include <string.h>

#include "base/clock.h"
#include "base/event_log.h"
#include "cli/command.h"
#include "cli/network.h"

struct network_prune_options {
    struct strs filters;
    bool force;
};

static const struct option network_prune_options[] = {
    OPTION_LIST(struct network_prune_options, filters, 0, "filter", "filter", "Provide filter values (e.g. \"until=24h\")"),
    OPTION_BOOL(struct network_prune_options, force, 'f', "force", "Do not prompt for confirmation"),
    OPTION_END,
};

static int is_old_enough(const struct filters *f, const struct network *n, struct error *e) {
    const char *until = filters_get(f, "until");
    struct timespec created;
    int64_t moment;
    int r;

    if (!until)
        return 1;
    r = filter_time(until, &moment, e);
    if (r < 0)
        return r;
    return time_parse(n->created, &created) == 0 && created.tv_sec < moment;
}

static bool labels_fit(const struct filters *f, const struct network *n) {
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->v[i].key, "label!") == 0 && label_fits(f->v[i].value, &n->labels))
            return false;
    return filters_labels_fit(f, "label", &n->labels);
}

static int network_prune_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    static const char *const known[] = {"until", "label", "label!", NULL};
    const struct network_prune_options *o = options;
    const struct roots *roots;
    struct list all = {0};
    struct filters filters;
    size_t removed = 0;
    int r = filters_parse(&o->filters, known, &cli->arena, &filters, e);

    if (r < 0)
        return r;
    if (!o->force && !cli_confirm("WARNING! This will remove all custom networks not used by at least one container.\nAre you sure "
                                  "you want to continue?"))
        return 0;
    r = cli_roots(cli, &roots, e);
    if (r == 0)
        r = network_all(roots, &cli->arena, &all, e);
    for (size_t i = 0; r == 0 && i < all.n; i++) {
        const struct network *n = LIST_AT(struct network, &all, i);
        _cleanup_error_ struct error one = ERROR_INIT;
        int old = network_is_dangling(n) && labels_fit(&filters, n) ? is_old_enough(&filters, n, e) : 0;

        if (old < 0)
            return old;
        if (!old || network_remove(roots, n->name, &one) < 0) /* one that came into use meanwhile stays */
            continue;
        printf("%s%s\n", removed++ ? "" : "Deleted Networks:\n", n->name);
    }
    if (removed)
        puts("");
    if (r == 0)
        event_tell(roots->run_fd, "network", "prune", "", "reclaimed", "0", NULL);
    return r;
}

const struct command command_network_prune = {
    .names = {"network prune"},
    .usage = "",
    .summary = "Remove all unused networks",
    COMMAND_OPTIONS(struct network_prune_options, network_prune_options),
    .run = network_prune_run,
};
