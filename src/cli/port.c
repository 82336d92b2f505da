#include <string.h>

#include "cli/command.h"
#include "engine/container.h"
#include "engine/lookup.h"
#include "engine/ports_shown.h"
#include "network/port.h"

/* "80", "80/udp" matches; NULL matches all. */
static bool is_asked(const struct port_shown *p, const char *asked, struct arena *a) {
    const char *full = arena_printf(a, "%u/%s", p->container_port, p->protocol);
    if (!asked || strcmp(full, asked) == 0)
        return true;
    return !strchr(asked, '/') && strcmp(full, arena_printf(a, "%s/tcp", asked)) == 0;
}

static void print_port(const struct port_shown *p, bool with_port) {
    if (with_port)
        printf("%u/%s -> ", p->container_port, p->protocol);
    printf(strchr(p->host_ip, ':') ? "[%s]:%u\n" : "%s:%u\n", p->host_ip, p->host_port);
}

static int port_run(struct cli *cli, const void *options _unused_, const struct strs *args, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    const char *asked = args->n > 1 ? args->v[1] : NULL;
    struct list records = {0}, shown = {0};
    struct engine *engine;
    unsigned found = 0;
    int r = cli_engine(cli, &engine, e);
    if (r == 0)
        r = container_open(engine, args->v[0], &cli->arena, &c, e);
    if (r == 0)
        r = port_list(engine->roots, &cli->arena, &records, e);
    if (r < 0)
        return r;
    ports_shown(&records, c.id, &cli->arena, &shown);
    for (size_t i = 0; i < shown.n; i++) {
        const struct port_shown *p = LIST_AT(struct port_shown, &shown, i);
        if (!is_asked(p, asked, &cli->arena))
            continue;
        print_port(p, !asked);
        found++;
    }
    if (asked && !found)
        return error_set(e, -ENOENT, "no public port '%s%s' published for %s", asked, strchr(asked, '/') ? "" : "/tcp", args->v[0]);
    return 0;
}

const struct command command_port = {.names = {"port", "container port"},
                                     .usage = "CONTAINER [PRIVATE_PORT[/PROTO]]",
                                     .summary = "List port mappings or a specific mapping for the container",
                                     .args_min = 1,
                                     .args_max = 2,
                                     .run = port_run};
