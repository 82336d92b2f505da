/* Events of a container's life are told once each. Who changes its state writes the state first and tells then; when he is killed
 * in between, whoever takes over compares the state with what the log says last, and tells what is missing. */
#pragma once

#include "runtime/state.h"

#define LIFE_EVENTS_MAX 2

struct life_events {
    const char *missing[LIFE_EVENTS_MAX + 1]; /* in their order, NULL-terminated: "start", "pause", "unpause", "die" */
    bool told_end;                            /* the end of this run is in the log, whatever the state says */
};
struct event_last;

/* Pure. state: of a run that was started (started_at). */
void life_events_compare(const struct container_state *state, const struct event_last *last, struct life_events *ret);
/* Looks into the log. */
void life_events_look(int run_root_fd, const char *id, const struct container_state *state, struct life_events *ret);
