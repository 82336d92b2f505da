/* Interfaces of a container that runs. `netns_fd`: its network namespace (/proc/PID/ns/net). */
#pragma once

#include "network/network.h"

/* Puts an attachment's interface into it, configured, and takes one away (absent is success). */
int network_plug(const struct network_attachment *attachment, int netns_fd, struct error *e);
int network_unplug(const char *ifname, int netns_fd, struct error *e);
/* Leads the default route over a network that the container is on, where that leads out. *ret: its interface's name, addresses and
 * routes; with netns_fd -1 that is all. */
int network_route(const struct roots *roots, const char *network, const char *container_id, int netns_fd, struct arena *a,
                  struct link *ret, struct error *e);
