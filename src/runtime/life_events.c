#include "runtime/life_events.h"

#include <string.h>

#include "base/clock.h"
#include "base/event_log.h"

static bool is(const struct event_last *last, const char *action) {
    return strcmp(last->action, action) == 0;
}

void life_events_compare(const struct container_state *s, const struct event_last *last, struct life_events *ret) {
    const int64_t started_ns = (int64_t)s->started_at.tv_sec * NS_PER_SEC + s->started_at.tv_nsec;
    const bool of_this_run = last->time_ns >= started_ns && !is(last, "create") && last->action[0];
    const bool alive = s->status == STATUS_RUNNING || s->status == STATUS_PAUSED;
    size_t n = 0;

    *ret = (struct life_events){.told_end = of_this_run && (is(last, "die") || is(last, "destroy"))};
    if (last->forgotten || ret->told_end || s->status == STATUS_CREATED || started_ns == 0)
        return;
    if (!of_this_run)
        ret->missing[n++] = "start";
    if (!alive)
        ret->missing[n++] = "die";
    else if (s->status == STATUS_PAUSED && !is(last, "pause"))
        ret->missing[n++] = "pause";
    else if (s->status == STATUS_RUNNING && of_this_run && is(last, "pause"))
        ret->missing[n++] = "unpause";
    ret->missing[n] = NULL;
}

void life_events_look(int run_root_fd, const char *id, const struct container_state *state, struct life_events *ret) {
    struct event_last last;

    event_last(run_root_fd, id, &last);
    life_events_compare(state, &last, ret);
}
