/* Copies of an image's layers whose files belong to the ids of a user namespace: for who cannot mount them so. They are unpacked
 * from the blobs once more, by the same workers. Nothing but their KEY.json names them: they are garbage when their layer is. */
#include <string.h>

#include "image/image.h"
#include "image/store_internal.h"

/* The keys of the copies, top first. 1: all of them are there. */
static int find_copies(struct image_store *s, const struct image_record *record, const struct id_shift *owners, struct arena *a,
                       struct strs *ret, struct error *e) {
    int all = 1;

    for (size_t i = 0; i < record->layers.n; i++) {
        struct layer_info layer, copy;
        char key[LAYER_KEY_MAX];
        int r = layer_read_info(s, record->layers.v[i], NULL, a, &layer, e);

        if (r < 0)
            return error_set(e, r, "the unpacked layer %s is missing or incomplete: tare system check --repair",
                             record->layers.v[i]);
        layer_key(s, layer.chain_id, owners, key);
        strs_add(a, ret, arena_strdup(a, key));
        r = layer_read_info(s, key, layer.chain_id, a, &copy, e);
        if (r < 0 && r != -ENOENT)
            return r;
        all &= r == 0;
    }
    return all;
}

static int make_copies(struct image_store *s, const struct image_record *record, const struct id_shift *owners, struct arena *a,
                       struct error *e) {
    struct layer_task *tasks;
    int r = layer_tasks_again(s, record, a, &tasks, e);

    for (size_t i = 0; r == 0 && i < record->blobs.n; i++)
        tasks[i].owners = *owners;
    if (r == 0)
        r = layers_ingest(s, tasks, record->blobs.n, NULL, NULL, a, e);
    if (r == 0 && !s->limits.no_sync && syncfs(s->root) < 0)
        r = error_errno(e, -errno, "sync");
    for (size_t i = 0; r == 0 && i < record->blobs.n; i++)
        layer_mark_synced(s, tasks[i].key);
    ingest_unpin(s);
    return r < 0 ? error_wrap(e, r, "copy the layers for a user namespace") : r;
}

int image_shifted_layers(struct image_store *s, const char *image_id, const struct id_shift *owners, bool make, struct arena *a,
                         struct strs *ret, struct error *e) {
    struct image_record record;
    struct strs keys = {0};
    int r = record_find(s, image_id, a, &record, e);

    if (r >= 0)
        r = find_copies(s, &record, owners, a, &keys, e);
    if (r == 0 && make)
        r = make_copies(s, &record, owners, a, e);
    if (r < 0)
        return r;
    *ret = (struct strs){0};
    for (size_t i = 0; i < keys.n; i++)
        strs_add(a, ret, arena_printf(a, "%s/" DIR_LAYERS "/%s", s->root_path, keys.v[i]));
    return 0;
}
