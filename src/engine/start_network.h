/* The network side of a start: addresses taken, and the files that tell names. */
#pragma once

#include "engine/start_context.h"

/* Is it on a network of the user's own, where names are answered at 127.0.0.11? */
bool start_network_names(const struct start_context *x);
/* The file that says so to the monitor and to tare-net, with the servers that are asked for other names. `internal`: none are. */
int names_file_write(const struct engine *engine, const struct container *c, bool internal, struct error *e);
/* The interface's name that the user wants on a network (*ret stays as it is without one). -EOPNOTSUPP: an option that is not
 * known. */
int endpoint_ifname(const struct endpoint_settings *s, const char **ret, struct error *e);
/* Which of its networks has the default route: the one of the highest priority; of several the first that leads out at all. NULL:
 * it is on none. */
const char *start_network_gateway(struct engine *engine, const struct container *c, struct arena *a);
/* Text of the container's resolv.conf. */
void resolv_text(const struct container *c, bool own_network, bool names, struct buf *out);

/* Writes resolv.conf, hosts and hostname into the run directory, once. */
int start_network_files(struct engine *engine, const struct container *c, struct arena *a, struct start_context *x,
                        struct error *e);
/* Fills x->attachments and input.own_network, and writes the files, unless somebody else (CNI) has yet to give the addresses. */
int start_network(struct engine *engine, const struct container *c, struct arena *a, struct start_context *x, struct error *e);
