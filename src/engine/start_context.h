/* What the parts of a start hand to each other. */
#pragma once

#include "engine/container.h"
#include "engine/spec.h"
#include "kernel/cgroup.h"
#include "runtime/plan.h"

struct start_options {
    bool attached;                                   /* the connection comes back, for monitor_foreground() */
    bool attach_stdin, attach_stdout, attach_stderr; /* with attached */
    uint32_t rows, columns;                          /* of the user's terminal; 0 = unknown */
    int explain_fd;                                  /* -1 = quiet */
    struct buf *dry_run;                             /* the plan is printed there, and nothing is done */
    uint32_t restart_count;
};
#define START_OPTIONS_INIT                                                                                                         \
    { .explain_fd = -1 }

/* Everything that a plan is made from, gathered; also for exec and inspect. */
struct start_context {
    struct spec_input input;
    struct oci_spec spec;
    struct plan_context plan;
    struct cgroup_layout layout;
    struct list attachments; /* struct network_attachment */
    struct list ports;       /* struct published_port */
    bool pasta;              /* a namespace of its own with pasta */
    const char *cni;         /* text of the attachment that plugins are to make (network/cni.h); NULL = none */
    /* What is known of the network when it is somebody else's doing. */
    struct strs addresses, nameservers, search, resolv_options;
    const char *gateway;
    int holder_fd;      /* keeps the container's own pasta; for the monitor */
    const char *cgroup; /* "/tare/<id>" */
};
