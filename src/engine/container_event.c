#include "engine/container_event.h"

#include "base/event_log.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/relink.h"

void container_event_attributes(const struct container_record *c, struct buf *out) {
    buf_add_str(out, "\"image\":");
    json_write_string(out, c->image_name ? c->image_name : c->host.rootfs ? c->host.rootfs : "");
    buf_add_str(out, ",\"name\":");
    json_write_string(out, c->name);
    for (size_t i = 0; i < c->config.labels.n; i++) {
        buf_add_char(out, ',');
        json_write_string(out, c->config.labels.v[i].key);
        buf_add_char(out, ':');
        json_write_string(out, c->config.labels.v[i].value);
    }
}

static struct event event_of(const struct container_record *c, const char *action, const char *attributes, const char *more) {
    return (struct event){
        .type = "container", .action = action, .id = c->id, .image = c->image_name, .attributes = attributes, .more = more};
}

void container_event(struct engine *engine, const struct container_record *c, const char *action, const char *more) {
    _cleanup_buf_ struct buf attributes = BUF_INIT;
    container_event_attributes(c, &attributes);
    const struct event ev = event_of(c, action, buf_text(&attributes), more);
    (void)event_append(engine->roots->run_fd, &ev, NULL);
}

void container_event_begin(struct engine *engine, const struct container_record *c, const char *action, const char *more,
                           struct event_change *ret) {
    _cleanup_buf_ struct buf attributes = BUF_INIT;
    char path[sizeof("containers//config.json") + ID_LENGTH];
    container_event_attributes(c, &attributes);
    const struct event ev = event_of(c, action, buf_text(&attributes), more);
    (void)snprintf(path, sizeof(path), "containers/%s/config.json", c->id);
    event_change_begin(ret, engine->roots->run_fd, engine->roots->root_fd, path, &ev);
}

void container_event_rename(const struct container *c) {
    _cleanup_buf_ struct buf attributes = BUF_INIT;
    _cleanup_error_ struct error why = ERROR_INIT;
    container_event_attributes(&c->record, &attributes);
    if (c->run_dirfd >= 0 && relink_name(c->run_dirfd, c->record.name, buf_text(&attributes), &why) < 0)
        log_warn("%s: its events go on with the name of before: %s", c->record.name, why.text ? why.text : "");
}
