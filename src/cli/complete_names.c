/* The names of what there is, for completion. A failure offers nothing: at a key press there is nobody to tell. */
#include <string.h>

#include "cli/complete.h"
#include "engine/engine.h"
#include "engine/list.h"
#include "engine/volume.h"
#include "image/image.h"
#include "network/store.h"

void complete_containers(struct completion *c, bool running, const char *suffix) {
    struct list_query query = {.last = -1, .all = !running};
    struct arena *a = &c->cli->arena;
    struct list found = {0};
    struct engine *engine;

    if (cli_engine(c->cli, &engine, NULL) < 0 || container_list(engine, &query, a, &found, NULL) < 0)
        return;
    for (size_t i = 0; i < found.n; i++) {
        const struct container_summary *s = LIST_AT(struct container_summary, &found, i);

        completion_offer(c, arena_printf(a, "%s%s", s->name, suffix), arena_printf(a, "%s, %s", s->image, s->status_text));
        if (c->word[0]) /* ids only for those who began to type one */
            completion_offer(c, arena_printf(a, "%.12s%s", s->id, suffix), s->name);
    }
}

void complete_images(struct completion *c) {
    struct arena *a = &c->cli->arena;
    struct image_store *store;
    struct list found = {0};

    if (cli_store(c->cli, &store, NULL) < 0 || image_list(store, a, &found, NULL) < 0)
        return;
    for (size_t i = 0; i < found.n; i++) {
        const struct image_summary *s = LIST_AT(struct image_summary, &found, i);
        const char *id = strncmp(s->id, "sha256:", 7) == 0 ? s->id + 7 : s->id;

        for (size_t k = 0; k < s->repo_tags.n; k++)
            completion_offer(c, s->repo_tags.v[k], NULL);
        if (c->word[0] || s->repo_tags.n == 0)
            completion_offer(c, arena_printf(a, "%.12s", id), s->repo_tags.n ? s->repo_tags.v[0] : NULL);
    }
}

void complete_networks(struct completion *c) {
    const struct roots *roots;
    struct list found = {0};

    if (cli_roots(c->cli, &roots, NULL) < 0 || network_list(roots, &c->cli->arena, &found, NULL, NULL) < 0)
        return;
    for (size_t i = 0; i < found.n; i++) {
        const struct network *n = LIST_AT(struct network, &found, i);

        completion_offer(c, n->name, n->driver);
    }
}

void complete_volumes(struct completion *c) {
    const struct roots *roots;
    struct list found = {0};

    if (cli_roots(c->cli, &roots, NULL) < 0 || volume_list(roots, &c->cli->arena, &found, NULL) < 0)
        return;
    for (size_t i = 0; i < found.n; i++)
        completion_offer(c, LIST_AT(struct volume, &found, i)->name, NULL);
}
