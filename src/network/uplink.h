/* The way from a network namespace of an ordinary user's to the world: pasta(1) of the package passt, or slirp4netns(1). */
#pragma once

#include "base/error.h"

/* Starts whichever is there, for the namespace; returns when its interface (UPLINK) is configured. pasta copies the addresses of
 * the host's interface; neither gives access to what listens on the host's loopback. ports   options of pasta's that publish ports
 * ("-t", "8080:80", …), NULL = none; slirp4netns cannot (-EOPNOTSUPP) The process is a child of the caller, who is a child
 * subreaper. -ENOENT: neither is installed. A hint tells what to do. */
int uplink_start(int netns_fd, char *const ports[], struct error *e);
/* Whether uplink_start() has what it needs: a program, and /dev/net/tun; else why not. */
int uplink_check(struct error *e);
/* Is its interface there? Both programs end when that is deleted, and it goes when they end. Of the namespace in use. */
bool uplink_is_up(void);
