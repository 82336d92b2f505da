/* Containers as `ps` and GET /containers/json list them. */
#pragma once

#include "engine/container.h"

struct container_summary {
    const char *id, *name;
    const char *image, *image_id; /* as the user wrote it; "sha256:…" */
    const char *command;          /* path and arguments, joined by blanks */
    int64_t created;              /* seconds since the epoch */
    enum container_status status;
    const char *state_text;  /* "running", "exited" */
    const char *status_text; /* "Up 5 minutes (healthy)" */
    const char *health;      /* "healthy"; "none" */
    const char *ports;       /* "0.0.0.0:8080->80/tcp, 443/tcp" */
    const char *platform;
    int exit_code;
    struct map labels;
    struct strs mounts;        /* names of volumes, sources of binds */
    struct strs mount_targets; /* the same, by where they are seen */
    size_t volumes;            /* how many of the mounts are volumes of the local driver */
    struct strs networks;
    struct strs exposed;         /* "80/tcp": exposed */
    struct strs published;       /* "80/tcp": with a binding */
    uint64_t size_rw, size_root; /* bytes, with list_query.size only */
};

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

/* Docker's words for what a container does: "Up 2 minutes (Paused)", "Exited (0) 3 days ago", "Created". */
const char *container_status_text(const struct container_state *s, struct arena *a);
