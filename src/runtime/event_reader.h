/* Reads the log of events: what was written so far, then what comes, through the turning over of the file. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

struct event_record {
    const char *type, *action; /* container; "start", "health_status: healthy" */
    const char *id, *from;
    struct map attributes;
    int64_t time, time_nano;
    const char *scope;
};
extern const struct json_table event_record_table;

struct event_read {
    int64_t since_ns, until_ns; /* wall clock; until 0 = follow without end, else until that moment */
    bool history;               /* what was written before counts, too (since was asked for) */
    /* line: the event's JSON, without newline. Non-zero ends the reading and is returned. */
    int (*fn)(const struct event_record *ev, const char *line, size_t n, void *arg, struct error *e);
    void *arg;
};
int event_log_read(int run_root_fd, const struct event_read *q, struct error *e);
