/* What a container's monitor and its tare-net say to each other. One byte a message, descriptors beside it. */
#pragma once

#define HOLDER_PROGRAM "tare-net"
#define HOLDER_ROLE    "ports"
#define HOLDER_AGAIN   "again"
/* In RUN_ROOT/containers/ID/: where a tare-net whose monitor was killed waits for the next one (SOCK_SEQPACKET). */
#define HOLDER_SOCKET "net"
/* In RUN_ROOT/containers/ID/: the container has a resolver; its servers (network/upstream.h). */
#define HOLDER_NAMES "names"

enum holder_word {
    HOLDER_STARTED = 'S', /* the container's first process runs: its pidfd */
    HOLDER_RESOLVE = 'N', /* sockets in the container's network namespace to answer names at: UDP, TCP (listening) */
    HOLDER_SETTLED = 'L', /* it lives longer than a moment: into the group of tare's own processes */
    HOLDER_ENDED = 'D',   /* it has ended: let go of its namespace. Answered with the same word when that is done */
};
