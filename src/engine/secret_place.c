/* Secrets on their way into a container. */
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/fs.h"
#include "base/log.h"
#include "engine/secret.h"
#include "engine/secret_store.h"
#include "model/secret.h"
#include "runtime/journal.h"
#include "runtime/launch.h"

#define PLACE "secrets" /* in the run directory; files are called by their number */

int secrets_check(const struct roots *roots, struct list *requests, struct arena *a, struct error *e) {
    for (size_t i = 0; i < requests->n; i++) {
        struct secret_request *q = LIST_AT(struct secret_request, requests, i);
        struct secret s;
        int r = secret_request_check(q, a, e);

        if (r == 0)
            r = secret_open(roots, q->source, a, &s, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static void add_mount(struct arena *a, struct list *mounts, const char *to, const char *type, const char *source,
                      const char *const *options) {
    struct oci_mount *m = LIST_ADD(a, struct oci_mount, mounts);

    m->destination = to;
    m->type = type;
    m->source = source;
    for (; *options; options++)
        strs_add(a, &m->options, *options);
}

static int add_variable(const struct roots *roots, const struct secret_request *q, struct arena *a, struct spec_input *in,
                        struct error *e) {
    _cleanup_(secret_forget) struct buf data = BUF_INIT;
    int r = secret_read(roots, q->source, a, &data, e);

    if (r == 0 && memchr(data.data, '\0', data.size))
        r = error_set(e, -EINVAL, "secret %s has a zero byte, which no variable can have", q->source);
    if (r == 0)
        strs_add(a, &in->more_env, arena_printf(a, "%s=%s", q->target, buf_text(&data)));
    return r;
}

int secrets_gather(struct engine *engine, const struct container *c, bool started, struct arena *a, struct spec_input *in,
                   struct error *e) {
    static const char *const of_tmpfs[] = {"nosuid", "nodev", "noexec", "mode=755", "size=64k", NULL};
    static const char *const of_file[] = {"bind", "rprivate", "ro", "nosuid", "nodev", "noexec", NULL};
    const struct list *requests = &c->record.host.secrets;
    bool has_tmpfs = false;

    for (size_t i = 0; i < c->record.mounts.n; i++) /* the user's own directory for them */
        has_tmpfs |= strcmp(LIST_AT(struct mount_point, &c->record.mounts, i)->destination, SECRETS_DIR) == 0;

    for (size_t i = 0; i < requests->n; i++) {
        const struct secret_request *q = LIST_AT(struct secret_request, requests, i);
        _cleanup_error_ struct error why = ERROR_INIT;

        if (secret_is_env(q)) {
            int r = add_variable(engine->roots, q, a, in, &why);

            if (r < 0 && !(r == -ENOENT && started)) {
                error_move(e, &why);
                return r;
            }
            continue;
        }
        if (!has_tmpfs && strncmp(q->target, SECRETS_DIR "/", strlen(SECRETS_DIR "/")) == 0) {
            add_mount(a, &in->more_mounts, SECRETS_DIR, "tmpfs", "tmpfs", of_tmpfs);
            has_tmpfs = true;
        }
        add_mount(a, &in->more_mounts, q->target, "bind", container_run_path(engine, c->id, arena_printf(a, PLACE "/%zu", i), a),
                  of_file);
    }
    return 0;
}

void secrets_journal(const struct engine *engine, const struct container *c, struct arena *a, struct journal *j) {
    const struct list *requests = &c->record.host.secrets;
    bool has_env = false;

    for (size_t i = 0; i < requests->n; i++)
        has_env = has_env || secret_is_env(LIST_AT(struct secret_request, requests, i));
    if (has_env) /* kept for restarts, with the environment in it */
        journal_add(j, JOURNAL_UNLINK, container_run_path(engine, c->id, LAUNCH_FILE, a));
    if (requests->n > 0)
        journal_add(j, JOURNAL_TREE, container_run_path(engine, c->id, PLACE, a));
}

/* As the host sees the id; -1: nobody. */
static uint32_t host_id(const struct list *maps, uint32_t id) {
    for (size_t i = 0; i < maps->n; i++) {
        const struct oci_id_mapping *m = LIST_AT(struct oci_id_mapping, maps, i);

        if (id >= m->container_id && id - m->container_id < m->size)
            return m->host_id + (id - m->container_id);
    }
    return maps->n ? UINT32_MAX : id;
}

static int place_one(struct engine *engine, int dir, const char *name, const struct secret_request *q, const struct spec_input *in,
                     struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_(secret_forget) struct buf data = BUF_INIT;
    uint32_t uid = host_id(&in->id_maps_uid, q->uid), gid = host_id(&in->id_maps_gid, q->gid);
    int r = secret_read(engine->roots, q->source, &a, &data, e);

    if (r < 0)
        return r;
    if (uid == UINT32_MAX || gid == UINT32_MAX)
        return error_set(e, -EINVAL, "secret %s: nobody in the container has the id %u:%u", q->source, q->uid, q->gid);
    _cleanup_fd_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(e, -errno, "place the secret %s", q->source);
    r = fs_write_all(fd, data.data, data.size);
    if (r == 0 && (fchown(fd, uid, gid) < 0 || fchmod(fd, q->mode) < 0))
        r = -errno;
    return r < 0 ? error_errno(e, r, "place the secret %s (owner %u:%u)", q->source, q->uid, q->gid) : 0;
}

int secrets_place(struct engine *engine, const struct container *c, const struct spec_input *in, struct error *e) {
    const struct list *requests = &c->record.host.secrets;
    struct statfs fs;
    _cleanup_fd_ int dir = -1;

    for (size_t i = 0; i < requests->n; i++) {
        const struct secret_request *q = LIST_AT(struct secret_request, requests, i);
        char name[24];

        if (secret_is_env(q))
            continue;
        if (dir < 0) {
            if (mkdirat(c->run_dirfd, PLACE, 0700) < 0)
                return error_errno(e, -errno, "make a directory for secrets");
            dir = openat(c->run_dirfd, PLACE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (dir < 0)
                return error_errno(e, -errno, "open the directory for secrets");
            if (fstatfs(dir, &fs) == 0 && fs.f_type != TMPFS_MAGIC)
                log_warn("secrets of %s lie on a disk while it runs: the run root %s is not in memory", c->record.name,
                         engine->roots->run_root);
        }
        (void)snprintf(name, sizeof(name), "%zu", i);
        int r = place_one(engine, dir, name, q, in, e);
        if (r < 0)
            return r;
    }
    return 0;
}
