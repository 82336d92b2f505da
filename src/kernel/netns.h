/* Network namespaces that this process is not in. A socket belongs to the namespace it was made in, so one that a moment's child
 * makes there lets its owner configure that namespace, and stay where he is: an ordinary user's command cannot go back into the
 * host's network namespace once it has left it.
 *
 * Sources: network_namespaces(7), setns(2), ioctl_ns(2). */
#pragma once

#include "base/error.h"

#define NETNS_OWN    (-1) /* where this process is */
#define NETNS_ABSENT (-2) /* networks would be in a namespace that is not there: nothing of them exists */

/* Where kernel/link.h and kernel/nft.h work from now on: a namespace (borrowed), NETNS_OWN (at the start) or NETNS_ABSENT. With
 * NETNS_ABSENT what is read is our own namespace's, and taking something away is success. */
void netns_use(int fd);
int netns_used(void);
/* socket(2) in the namespace that is in use. */
int netns_socket(int domain, int type, int protocol);

/* A new one, loopback up; `routes`: it forwards between its interfaces, and 127.0.0.1 may be a source towards them. The process
 * stays where it is. Returns a descriptor. Needs CAP_SYS_ADMIN in the user namespace that will own it. */
int netns_new(bool routes, struct error *e);
/* Keeps one by a bind mount at `path`, a file that is made for it. */
int netns_bind(int fd, const char *path, struct error *e);
/* Is it a descriptor of a network namespace? */
bool netns_is(int fd);

/* In the namespace in use: packets with this mark are for this host, whatever their destination (policy rule and route in a table
 * of the mark's number, both families). Twice is success. */
int netns_catch_mark(uint32_t mark, struct error *e);
