/* Containers as `ps` and GET /containers/json list them. */
#pragma once

#include "engine/summary.h"

/* Conditions; those of one kind are alternatives, different kinds must all hold. All lists may be empty. */
struct list_query {
    bool all;     /* also those that do not run */
    int64_t last; /* the n newest, whatever their state; -1 = no limit */
    bool size;    /* count the bytes (slow) */
    struct strs ids, names, statuses, exited, labels, ancestors, volumes, networks, publish, expose, health;
    const char *before, *since; /* a container's name or id */
    int64_t until;              /* made before this second; 0 = any */
};
#define LIST_QUERY_INIT                                                                                                            \
    { .last = -1 }

/* Newest first. ret: of struct container_summary, in the arena. -ENOENT: before/since name no container. */
int container_list(struct engine *engine, const struct list_query *query, struct arena *a, struct list *ret, struct error *e);
