/* What a list shows of one container: what follows from its record (which changes seldom, and is remembered: summary_cache.h), and
 * what it does right now (which is never remembered). */
#pragma once

#include "engine/container.h"

struct container_summary {
    /* From the record. */
    const char *id, *name;
    const char *image, *image_id; /* as the user wrote it; "sha256:…" */
    const char *command;          /* path and arguments, joined by blanks */
    int64_t created_ns;           /* since the epoch: several are made within a second, and the order is theirs */
    const char *platform;
    const char *cgroup_parent; /* "" = the engine's own */
    bool auto_remove;
    struct map labels;
    struct strs mounts;        /* names of volumes, sources of binds */
    struct strs mount_targets; /* the same, by where they are seen */
    size_t volumes;            /* how many of the mounts are volumes of the local driver */
    struct strs networks;
    struct strs exposed;   /* "80/tcp": exposed */
    struct strs published; /* "80/tcp": with a binding */
    /* From its state. */
    enum container_status status;
    const char *state_text;  /* "running", "exited" */
    const char *status_text; /* "Up 5 minutes (healthy)" */
    const char *health;      /* "healthy"; "none" */
    int exit_code;
    const char *ports; /* "0.0.0.0:8080->80/tcp, 443/tcp" (ports_shown.h); "" unless it lives */
    /* Only when asked for. */
    uint64_t size_rw, size_root; /* bytes */
};

/* The part from the record. Strings point into the arena and the record. */
void summary_of_record(const char *id, const struct container_record *r, struct arena *a, struct container_summary *ret);
/* Adds what it does now; its ports are the caller's to add. */
void summary_add_state(struct container_summary *s, const struct container_state *state, struct arena *a);

/* Docker's words for what a container does: "Up 2 minutes (Paused)", "Exited (0) 3 days ago", "Created". */
const char *container_status_text(const struct container_state *s, struct arena *a);
