/* Starting tare-unpack and talking to it. The worker's own side is image/worker/. */
#pragma once

#include "base/error.h"
#include "image/worker_protocol.h"

struct worker {
    int pid;    /* 0 = not started or reaped */
    int socket; /* -1; readable when the worker has something to say or died */
    bool done;  /* the last message came, or the worker died; `message` tells */
    struct worker_message message;
};
#define WORKER_INIT                                                                                                                \
    { .socket = -1, .done = true }

/* Starts the role with its descriptors (see worker_protocol.h; -1 = /dev/null or none, all borrowed). The program is found once. */
int worker_start(struct worker *w, const char *role, const struct worker_request *request, int in, int out, int target, int layers,
                 struct error *e);
/* Takes one message. 1: progress (message->in_bytes), 2: it needs the lower layers, 3: done. Never fails: a worker that died is
 * done with an error in its message. */
enum worker_event { WORKER_EVENT_PROGRESS = 1, WORKER_EVENT_NEED_LOWERS, WORKER_EVENT_DONE };
enum worker_event worker_receive(struct worker *w);
/* Answers WORKER_NEED_LOWERS. */
int worker_send_lowers(struct worker *w, const int *fds, size_t n, struct error *e);
/* Kills and reaps it if it is still there. */
void worker_stop(struct worker *w);
