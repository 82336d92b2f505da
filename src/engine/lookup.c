#include "engine/lookup.h"

#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "engine/orphan.h"

struct prefix_search {
    const char *prefix;
    size_t n;
    unsigned found;
    char *id;
};

static int match_prefix(int dirfd _unused_, const char *name, void *arg, struct error *e _unused_) {
    struct prefix_search *s = arg;
    if (id_is_full(name) && strncmp(name, s->prefix, s->n) == 0) {
        memcpy(s->id, name, ID_LENGTH + 1);
        s->found++;
    }
    return 0;
}

int container_lookup(struct engine *engine, const char *text, char ret_id[ID_LENGTH + 1], struct error *e) {
    /* Docker's API shows names with a slash in front, and its users paste them. */
    const char *name = text[0] == '/' ? text + 1 : text;
    if (name_check("container name", name, NULL) == 0 && name_owner(engine, name, ret_id) == 0)
        return 0;
    int dir = engine_containers_dir(engine, e);
    if (dir < 0)
        return dir;
    if (id_is_full(text) && faccessat(dir, text, F_OK, 0) == 0) {
        memcpy(ret_id, text, ID_LENGTH + 1);
        return 0;
    }
    struct prefix_search s = {.prefix = text, .n = strlen(text), .id = ret_id};
    if (id_is_prefix(text)) {
        int r = fs_each(dir, ".", match_prefix, &s, e);
        if (r < 0)
            return r;
    }
    if (s.found > 1)
        return error_set(e, -ENOTUNIQ, "multiple IDs found with provided prefix: %s", text);
    return s.found == 1 ? 0 : error_set(e, -ENOENT, "No such container: %s", text);
}

int container_open(struct engine *engine, const char *text, struct arena *a, struct container *ret, struct error *e) {
    char id[ID_LENGTH + 1];
    int r = container_lookup(engine, text, id, e);
    if (r < 0)
        return r;
    r = container_open_id(engine, id, a, ret, e);
    if (r == 0 && !orphan_look_after(engine, ret)) {
        container_release(ret);
        r = -ENOENT;
    }
    return r == -ENOENT ? error_set(e, -ENOENT, "No such container: %s", text) : r;
}

struct each {
    struct engine *engine;
    struct arena *arena;
    container_fn *fn;
    void *arg;
};

static int each_one(int dirfd _unused_, const char *name, void *arg, struct error *e) {
    const struct each *each = arg;
    _cleanup_container_ struct container c = CONTAINER_INIT;
    _cleanup_error_ struct error why = ERROR_INIT;
    if (!id_is_full(name))
        return 0;
    int r = container_open_id(each->engine, name, each->arena, &c, &why);
    if (r < 0) {
        /* One torn container must not hide the others; -ENOENT: it is just being made or removed. */
        if (r != -ENOENT)
            log_warn("%s (tare system check)", why.text ? why.text : name);
        return 0;
    }
    return orphan_look_after(each->engine, &c) ? each->fn(each->engine, &c, each->arg, e) : 0;
}

int container_each(struct engine *engine, struct arena *a, container_fn *fn, void *arg, struct error *e) {
    struct each each = {engine, a, fn, arg};
    int dir = engine_containers_dir(engine, e);
    return dir < 0 ? dir : fs_each(dir, ".", each_one, &each, e);
}
