/* What a container's monitor and its tare-net say to each other.
 *
 * The monitor starts it: "tare-net ports CGROUP RUN_ROOT ID CONTROL,PIDFD,UDP,TCP,WAITING,HIGHEST". The numbers are descriptors
 * (-1: none): the connection between the two; the container's first process; the sockets at which names are answered; where it
 * waits for another monitor when its own was killed; all other sockets up to HIGHEST hold published ports, whose records say what
 * for. Over the connection go words of one byte, descriptors beside them. */
#pragma once

#define HOLDER_PROGRAM "tare-net"
#define HOLDER_ROLE    "ports"
/* In RUN_ROOT/containers/ID/: where a tare-net whose monitor was killed waits for the next one (SOCK_SEQPACKET). */
#define HOLDER_SOCKET "net"
/* In RUN_ROOT/containers/ID/: the container has a resolver; its servers (network/upstream.h). */
#define HOLDER_NAMES "names"

#define HOLDER_FDS       "%d,%d,%d,%d,%d,%d"
#define HOLDER_FIRST_FD  3
#define HOLDER_NAMES_FDS 2 /* UDP, TCP (listening) */

enum holder_word {
    HOLDER_AWAKE = 'A',   /* from tare-net: from now on others depend on it */
    HOLDER_STARTED = 'S', /* the container's first process runs: its pidfd */
    HOLDER_RESOLVE = 'N', /* sockets in the container's network namespace to answer names at: UDP, TCP (listening) */
    HOLDER_SETTLED = 'L', /* it lives longer than a moment: into the group of tare's own processes */
    HOLDER_ENDED = 'D',   /* it has ended: let go of its namespace. Answered with the same word when that is done */
};
