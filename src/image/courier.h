/* Brings the bytes of blobs to image_commit(): for each blob one process, forked from this one, which talks to the registry
 * (tokens, redirects, retries, Range) and lets its own tare-fetch write into the pipe. So layers arrive in parallel, and the code
 * of each is straight and may block. */
#pragma once

#include "image/ingest.h"
#include "image/registry.h"

struct couriers {
    struct registry *registry; /* borrowed */
    struct courier *v;         /* owned */
    size_t n;
};

/* A source over `c` that lives as long as it. */
struct blob_source courier_source(struct couriers *c);
void couriers_release(struct couriers *c); /* ends those that still run */
