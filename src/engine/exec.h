/* A command joins a running container. */
#pragma once

#include "engine/container.h"
#include "engine/spec.h"
#include "runtime/monitor_client.h"

struct exec_options {
    struct exec_request request;
    bool attached, attach_stdin, open_stdin;
    uint32_t rows, columns;
    int explain_fd;
    char *exec_id; /* room for the id that the command gets (ID_LENGTH + 1 bytes); NULL = not wanted */
};

/* error.status 126 or 127 where it is the command's fault. -EINVAL "container x is not running". */
int engine_exec(struct engine *engine, struct container *c, const struct exec_options *o, struct arena *a, struct monitor_conn *ret,
                struct error *e);
