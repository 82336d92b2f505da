/* A created container starts: who it runs as, its addresses and files, the OCI configuration, the plan, the journal of what will
 * stand on the host; then its monitor carries the plan out. */
#pragma once

#include "engine/container.h"
#include "engine/spec.h"
#include "kernel/cgroup.h"
#include "runtime/monitor_client.h"
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

/* Starts it. On failure nothing of the start is left; the container itself stays (or goes, with --rm). error.status is 125, 126 or
 * 127. -EALREADY: it runs. */
int engine_start(struct engine *engine, struct container *c, const struct start_options *o, struct arena *a,
                 struct monitor_conn *ret, struct error *e);

/* In the run directory: the network namespace of a container on a CNI network. */
#define CONTAINER_NETNS "netns"

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
    int holder_fd;      /* keeps their sockets; for the monitor */
    const char *cgroup; /* "/tare/<id>" */
};
/* Namespaces that are joined: input.shared, plan.owners. -ESRCH: one is not there. Before start_gather(). */
int start_gather_shared(struct engine *engine, const struct container *c, struct arena *a, struct start_context *context,
                        struct error *e);
/* Fills context->input from the container and the host. */
int start_gather(struct engine *engine, const struct container *c, const char *user, struct arena *a, struct start_context *context,
                 struct error *e);
/* Devices of --device-read-bps and the like; *ret stays as it is when none is limited. */
int gather_block_io(const struct host_config *h, struct arena *a, struct oci_block_io **ret, struct error *e);
/* The seccomp program of the container, into *ret_code; NULL when unconfined. */
int start_seccomp(struct engine *engine, const struct container_record *c, bool privileged, struct arena *a, const void **ret_code,
                  size_t *ret_size, uint32_t *ret_flags, struct error *e);
/* Namespaces and cgroups of the container, for joining it. */
int exec_context_fill(const struct oci_spec *spec, const struct cgroup_layout *layout, const char *cgroup, bool single_id,
                      struct arena *a, struct plan_exec_context *ret, struct error *e);
