/* The engine's side of tare-fetch: a process that makes HTTP requests in a cage. One request at a time; connections are reused. */
#pragma once

#include "image/fetch_wire.h"

struct fetcher;

/* Starts the worker. */
int fetcher_start(struct fetcher **ret, struct error *e);
/* Closes the socket, kills and reaps the worker. NULL is fine; returns NULL. */
struct fetcher *fetcher_free(struct fetcher *f);
static inline void fetcher_freep(struct fetcher **f) {
    *f = fetcher_free(*f);
}
#define _cleanup_fetcher_ _cleanup_(fetcher_freep)

/* Makes one request and waits for its end. `fd`: for FETCH_SINK or FETCH_UPLOAD, borrowed; else -1. 0: there is a reply, of which
 * `result` may tell of a failure; negative: the worker itself failed. */
int fetcher_do(struct fetcher *f, const struct fetch_request *request, int fd, struct arena *a, struct fetch_reply *ret,
               struct error *e);

/* The value of a header ("content-type"), NULL when there is none. `from`: start at this index and leave the next one there. */
const char *fetch_header(const struct fetch_reply *reply, const char *name, size_t *from);
