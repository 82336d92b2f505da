#include "engine/container_event.h"

#include "base/event_log.h"
#include "base/json.h"

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

void container_event(struct engine *engine, const struct container_record *c, const char *action, const char *more) {
    _cleanup_buf_ struct buf attributes = BUF_INIT;
    container_event_attributes(c, &attributes);
    const struct event ev = {.type = "container",
                             .action = action,
                             .id = c->id,
                             .image = c->image_name,
                             .attributes = buf_text(&attributes),
                             .more = more};
    (void)event_append(engine->roots->run_fd, &ev, NULL);
}
