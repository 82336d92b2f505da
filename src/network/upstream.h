/* The name servers that questions are handed on to: those of --dns from the container's file `names`, or else the host's, as
 * /etc/resolv.conf has them at that moment. They are asked from the host's network namespace, so a stub on the host's loopback
 * (systemd-resolved, dnsmasq) is as good as any. Source: resolv.conf(5). */
#pragma once

#include <sys/socket.h>
#include <sys/stat.h>

#include "base/error.h"
#include "model/holder.h"

#define UPSTREAM_MAX 8
/* In RUN_ROOT/containers/ID/: "nameserver ADDRESS" lines (none: the host's are asked), and the line "internal" when nothing is to
 * be handed on. Its presence says that the container is to have a resolver. */
#define NAMES_FILE HOLDER_NAMES

struct upstream {
    int run_dirfd; /* borrowed */
    struct sockaddr_storage servers[UPSTREAM_MAX];
    unsigned n;
    bool internal;
    unsigned first; /* the one that answered last */
    int64_t first_until_ns;
    struct stat seen[2]; /* of the two files */
};

/* Reads the files again if they have changed. */
void upstream_refresh(struct upstream *u);
socklen_t upstream_size(const struct sockaddr_storage *server);
/* A parsed text; pure but for the index of an interface ("fe80::1%eth0"). */
void upstream_parse(struct upstream *u, const char *text);
