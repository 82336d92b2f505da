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

/* Calls run(arg) in a child that shares memory and descriptors, and waits until it has ended: what it opens is ours, and only the
 * namespace it went to is gone with it. Without a signal at its end, so that nobody's SIGCHLD handling sees it. Its result; -errno
 * of clone(2). */
int netns_errand(int (*run)(void *), void *arg);

/* Is it a descriptor of a network namespace? */
bool netns_is(int fd);
