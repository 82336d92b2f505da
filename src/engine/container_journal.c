#include "engine/container_journal.h"

#include <fcntl.h>

#include "base/fs.h"
#include "base/self.h"
#include "engine/userns.h"
#include "model/network_mode.h"
#include "network/cni.h"

static const struct mount_point *point(const struct container *c, size_t i) {
    return LIST_AT(struct mount_point, &c->record.mounts, i);
}

void cni_journal(const struct engine *engine, const char *id, struct arena *a, struct journal *j) {
    char program[SELF_PATH_MAX];
    self_program_path(CNI_PROGRAM, program);
    journal_add(j, JOURNAL_PROGRAM, container_path(engine, id, CNI_FILE, a), program);
}

void cni_journal_namespace(const struct engine *engine, const char *id, struct arena *a, struct journal *j) {
    journal_add(j, JOURNAL_UMOUNT, container_run_path(engine, id, CONTAINER_NETNS, a));
}

bool container_has_images(const struct container *c) {
    bool has = c->record.image;
    for (size_t i = 0; i < c->record.mounts.n; i++)
        has |= point(c, i)->image != NULL;
    return has;
}

void container_journal_volumes(const struct engine *engine, const struct container *c, struct arena *a, struct journal *j) {
    for (size_t i = 0; i < c->record.mounts.n; i++)
        if (point(c, i)->anonymous)
            journal_add(j, JOURNAL_VOLUME, arena_printf(a, "%s/volumes/%s", engine->roots->root, point(c, i)->name),
                        engine->roots->root, engine->roots->run_root);
}

int container_journal_write(struct engine *engine, const struct container *c, const char *other_name, bool lasting, struct arena *a,
                            struct error *e) {
    _cleanup_journal_ struct journal j = JOURNAL_INIT;
    const char *root = engine->roots->root;
    journal_add(&j, JOURNAL_TRASH, container_path(engine, c->id, "", a), arena_printf(a, "%s/trash", root), c->id);
    if (network_mode_kind(c->record.host.network_mode, NULL) == NETWORK_MODE_CNI)
        cni_journal(engine, c->id, a, &j);
    if (container_has_images(c))
        journal_add(&j, JOURNAL_UNLINK, arena_printf(a, "%s/pins/%s", root, c->id));
    if (c->record.host.auto_remove)
        container_journal_volumes(engine, c, a, &j);
    if (other_name)
        journal_add(&j, JOURNAL_NAME, arena_printf(a, "%s/names/%s", root, other_name), c->id);
    journal_add(&j, JOURNAL_NAME, arena_printf(a, "%s/names/%s", root, c->record.name), c->id);
    int r = userns_reserve(engine, c, a, &j, e);
    return r < 0 ? r : journal_write(c->dirfd, "journal", &j, lasting, e);
}

int container_undo_creation(struct engine *engine, const char *id, int dirfd, struct error *e) {
    int r = dirfd < 0 ? 0 : journal_undo(dirfd, UNFINISHED_JOURNAL, e);
    if (r == 0 && dirfd >= 0)
        r = journal_undo(dirfd, "journal", e);
    int dir = engine_containers_dir(engine, e);
    _cleanup_fd_ int trash = openat(engine->roots->root_fd, "trash", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r == 0 && dir >= 0)
        r = fs_remove_tree_at(dir, id, e); /* killed before it had a journal */
    if (r == 0 && trash >= 0)
        r = fs_remove_tree_at(trash, id, e);
    return r;
}
