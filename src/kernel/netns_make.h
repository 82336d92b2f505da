/* Network namespaces as tare makes them: a new one, and the routes that a relay in one needs. */
#pragma once

#include "base/error.h"

/* A new one, loopback up; `routes`: it forwards between its interfaces, and 127.0.0.1 may be a source towards them. The process
 * stays where it is. Returns a descriptor. Needs CAP_SYS_ADMIN in the user namespace that will own it. */
int netns_new(bool routes, struct error *e);
/* Keeps one by a bind mount at `path`, a file that is made for it. */
int netns_bind(int fd, const char *path, struct error *e);

/* In the namespace in use: packets with this mark are for this host, whatever their destination (policy rule and route in a table
 * of the mark's number, both families). Twice is success. */
int netns_catch_mark(uint32_t mark, struct error *e);
