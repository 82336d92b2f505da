#include "engine/create.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/event_log.h"
#include "base/fs.h"
#include "engine/container_event.h"
#include "engine/container_journal.h"
#include "engine/defaults.h"
#include "engine/host_limits.h"
#include "engine/host_lsm.h"
#include "engine/log_options.h"
#include "engine/mount_points.h"
#include "engine/orphan.h"
#include "engine/own_files.h"
#include "engine/pending.h"
#include "engine/secret.h"
#include "engine/user_lines.h"
#include "engine/userns.h"
#include "image/image.h"
#include "model/reference.h"
#include "runtime/journal.h"

/* --- image ----------------------------------------------------------------------------------------------------------------- */

static void say_absent(const char *name, const struct pull_options *o, struct arena *a) {
    struct reference ref;
    if (o->observer && o->observer->line && reference_parse(name, a, &ref, NULL) >= 0)
        o->observer->line(o->observer->arg, arena_printf(a, "Unable to find image '%s' locally", reference_familiar(&ref, a)));
}

static int find_image(struct engine *engine, const struct create_request *q, const struct create_options *o, struct arena *a,
                      struct image *ret, struct error *e) {
    struct image_store *store;
    int r = engine_store(engine, &store, e);
    if (r < 0)
        return r;
    if (o->pull.policy == PULL_MISSING || o->pull.policy == PULL_NEVER) {
        struct error absent = ERROR_INIT;
        r = image_resolve(store, q->config.image, o->platform, a, ret, &absent);
        if (r != -ENOENT || o->pull.policy == PULL_NEVER) {
            error_move(e, &absent);
            return r;
        }
        error_release(&absent);
        say_absent(q->config.image, &o->pull, a);
    }
    return image_pull(store, q->config.image, &o->pull, a, ret, e);
}

static int apply_image(struct engine *engine, const struct create_request *q, const struct create_options *o, struct arena *a,
                       struct container_record *c, struct error *e) {
    static const struct image_defaults nothing;
    if (c->host.rootfs)
        return container_config_merge(&c->config, &nothing, a, e);
    struct image image;
    int r = find_image(engine, q, o, a, &image, e);
    if (r < 0)
        return r;
    c->image = image.id;
    c->image_name = q->config.image;
    c->layers = image.layers;
    c->platform = image.config.os;
    return container_config_merge(&c->config, &image.config.config, a, e);
}

/* What is to happen to an unhealthy container needs somebody who finds out. */
static int check_health(const struct container_record *c, struct error *e) {
    const struct image_healthcheck *h = c->config.healthcheck;
    const char *action = c->host.health_on_failure, *restart = c->host.restart.name;
    bool checked = h && h->test.n > 1;
    if (!checked && restart && strcmp(restart, "on-unhealthy") == 0)
        return error_set(e, -EINVAL, "restart policy on-unhealthy needs a health check (--health-cmd)");
    if (!checked && action && *action && strcmp(action, "none") != 0)
        return error_set(e, -EINVAL, "--health-on-failure %s needs a health check (--health-cmd)", action);
    return 0;
}

/* --- the record ------------------------------------------------------------------------------------------------------------ */

static void choose_command(struct arena *a, struct container_record *c) {
    struct strs all = {0};
    for (size_t i = 0; i < c->config.entrypoint.n; i++)
        strs_add(a, &all, c->config.entrypoint.v[i]);
    for (size_t i = 0; i < c->config.cmd.n; i++)
        strs_add(a, &all, c->config.cmd.v[i]);
    if (all.n == 0) /* container_config_merge() refuses that */
        return;
    c->path = all.v[0];
    c->args = (struct strs){all.v + 1, all.n - 1};
}

static int fill_record(struct engine *engine, const struct create_request *q, const struct create_options *o, struct arena *a,
                       struct container_record *c, struct error *e) {
    char id[ID_LENGTH + 1], now[TIME_TEXT_MAX];
    int r = id_new(id);
    if (r < 0)
        return error_errno(e, r, "make an id");
    time_format(clock_wall(), now);
    *c = (struct container_record){.format = CONTAINER_FORMAT_VERSION,
                                   .id = arena_strdup(a, id),
                                   .created = arena_strdup(a, now),
                                   .config = q->config,
                                   .host = q->host,
                                   .networking = q->networking};
    r = apply_image(engine, q, o, a, c, e);
    if (r == 0)
        r = check_health(c, e);
    if (r < 0)
        return r;
    if (engine->config)
        defaults_apply_merged(engine->config, &c->config);
    choose_command(a, c);
    c->init = q->host.init.set && q->host.init.value;
    if (!c->config.hostname && !mode_is(c->host.uts_mode, "host") && !mode_container(c->host.uts_mode) &&
        !mode_is(c->host.network_mode, "host"))
        c->config.hostname = arena_strndup(a, id, ID_SHORT_LENGTH);
    userns_default_user(engine, a, c);
    return mount_points_choose(engine, q, a, c, e);
}

/* --- on disk --------------------------------------------------------------------------------------------------------------- */

static int make_directory(struct engine *engine, struct container *c, struct error *e) {
    int dir = engine_containers_dir(engine, e);
    if (dir < 0)
        return dir;
    if (mkdirat(dir, c->id, 0711) < 0)
        return error_errno(e, -errno, "make the container's directory");
    c->dirfd = openat(dir, c->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return c->dirfd < 0 ? error_errno(e, -errno, "open the container's directory") : 0;
}

static bool owner_is_leftover(struct engine *engine, const char *name, struct arena *a) {
    _cleanup_container_ struct container owner = CONTAINER_INIT;
    char id[ID_LENGTH + 1];
    return name_owner(engine, name, id) == 0 && container_open_id(engine, id, a, &owner, NULL) == 0 &&
           !orphan_look_after(engine, &owner);
}

/* The journal names the name before it is taken; undoing gives back only what is this container's own. */
static int take_name(struct engine *engine, const struct create_options *o, struct arena *a, struct container *c, struct error *e) {
    for (unsigned tries = 0;; tries++) {
        _cleanup_error_ struct error why = ERROR_INIT;
        c->record.name = o->name;
        int r = o->name ? 0 : name_random(tries, a, &c->record.name, e);
        if (r == 0)
            r = container_journal_write(engine, c, NULL, o->lasting, a, e);
        if (r < 0)
            return r;
        r = name_take(engine, c->record.name, c->id, &why);
        if (r == -EEXIST && tries == 0 && o->name && owner_is_leftover(engine, o->name, a)) {
            error_release(&why);
            r = name_take(engine, c->record.name, c->id, &why);
        }
        if (r == -EEXIST && !o->name)
            continue;
        error_move(e, &why);
        return r;
    }
}

static int pin_images(struct engine *engine, const struct container *c, struct arena *a, struct error *e) {
    const struct id_shift owners = userns_shift(c);
    struct image_store *store;
    if (!container_has_images(c))
        return 0;
    int r = engine_store(engine, &store, e);
    if (r == 0 && c->record.image)
        r = image_pin(store, c->record.image, c->id, e);
    for (size_t i = 0; r == 0 && i < c->record.mounts.n; i++)
        if (LIST_AT(struct mount_point, &c->record.mounts, i)->image)
            r = image_pin(store, LIST_AT(struct mount_point, &c->record.mounts, i)->image, c->id, e);
    if (r == 0 && id_shift_is_any(&owners) && engine->roots->rootless && c->record.image) {
        struct strs layers;
        r = image_pin_copies(store, &owners, c->id, e);
        return r < 0 ? r : userns_layers(engine, c, true, a, &layers, e);
    }
    return r;
}

/* Volumes without a name outlive the container (unless it has --rm), but not a creation that fails. */
static int make_volumes(struct engine *engine, const struct create_options *o, struct arena *a, struct container *c,
                        struct error *e) {
    _cleanup_journal_ struct journal j = JOURNAL_INIT;
    int r = 0;
    if (!c->record.host.auto_remove)
        container_journal_volumes(engine, c, a, &j);
    if (j.text.size)
        r = journal_write(c->dirfd, UNFINISHED_JOURNAL, &j, o->lasting, e);
    return r < 0 ? r : mount_points_make(engine, a, c, e);
}

/* Complete once config.json is there, and undone by whoever finds it without (and without a living pending entry). The directory
 * with its journal comes first, then what the journal names. */
static int write_container(struct engine *engine, const struct create_options *o, struct arena *a, struct container *c,
                           struct error *e) {
    int r = make_directory(engine, c, e);
    if (r < 0)
        return r;
    r = take_name(engine, o, a, c, e);
    if (r == 0)
        r = pin_images(engine, c, a, e);
    if (r == 0)
        r = own_files_make(engine, c, a, e);
    if (r == 0)
        r = user_lines_add(engine, c, a, e);
    if (r == 0)
        r = make_volumes(engine, o, a, c, e);
    if (r == 0)
        r = container_record_write(c, o->lasting, e);
    if (r < 0)
        (void)container_undo_creation(engine, c->id, c->dirfd, NULL);
    else if (!c->record.host.auto_remove)
        (void)unlinkat(c->dirfd, UNFINISHED_JOURNAL, 0);
    return r;
}

static void tell_created(struct engine *engine, const struct container_record *c) {
    _cleanup_buf_ struct buf attributes = BUF_INIT;
    container_event_attributes(c, &attributes);
    const struct event ev = {
        .type = "container", .action = "create", .id = c->id, .image = c->image_name, .attributes = buf_text(&attributes)};
    (void)event_append(engine->roots->run_fd, &ev, NULL);
}

int engine_create(struct engine *engine, const struct create_request *asked, const struct create_options *o, struct arena *a,
                  struct container *ret, struct error *e) {
    _cleanup_container_ struct container c = CONTAINER_INIT;
    struct create_request request = *asked;
    int r = o->name ? name_check("container name", o->name, e) : 0;
    if (r >= 0 && engine->config)
        r = defaults_apply(engine->config, engine->roots, a, &request, e);
    if (r >= 0)
        r = create_request_check(&request, e);
    if (r >= 0)
        r = secrets_check(engine->roots, &request.host.secrets, a, e);
    if (r >= 0)
        r = host_limits_check(&request.host, e);
    if (r >= 0)
        r = log_options_check(&request.host.log, e);
    if (r >= 0)
        r = host_lsm_check(&request.host, e);
    if (r >= 0)
        r = fill_record(engine, &request, o, a, &c.record, e);
    if (r < 0)
        return r;
    memcpy(c.id, c.record.id, ID_LENGTH + 1);
    bool removed = o->then_start && c.record.host.auto_remove;
    int pending = pending_begin(engine, c.id, removed ? PENDING_RUN : PENDING_CREATE, e);
    if (pending < 0)
        return pending;
    r = write_container(engine, o, a, &c, e);
    if (r >= 0)
        tell_created(engine, &c.record);
    if (r < 0 && faccessat(engine_containers_dir(engine, NULL), c.id, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        fd_close(pending); /* could not be undone for want of something: the entry stays, for the next command */
    else if (r < 0 || !o->then_start)
        pending_end(engine, c.id, pending);
    else
        c.pending_fd = pending;
    if (r < 0)
        return r;
    *ret = c;
    c.dirfd = c.run_dirfd = c.pending_fd = -1;
    return 0;
}
