/* The connection of a log to whoever takes it: /dev/log, the journal, a syslog server by UDP or TCP.
 *
 * A record goes over whole or not at all. On a stream one that was cut off in the middle is sent again from its beginning over the
 * next connection. Nothing here waits longer than LINK_WAIT_MS for a peer, and then not again for LINK_REST_MS: meanwhile records
 * are lost and counted. */
#pragma once

#include <sys/uio.h>

#include "base/error.h"

#define LINK_WAIT_MS 2000
#define LINK_REST_MS 30000

struct log_link;

/* address: as in monitor_log_options; NULL = the host's syslog, wherever its socket is. takes_files: what is too large
 * for a datagram goes as a file of memory. Connects, or fails with the reason. */
int log_link_open(const char *address, bool takes_files, struct log_link **ret, struct error *e);
/* One record, of at most 4 pieces. False: it is lost. */
bool log_link_send(struct log_link *l, const struct iovec *pieces, int n);
/* Records lost since the last call that gave a number, when the peer is there again; else 0. */
uint64_t log_link_lost(struct log_link *l);
int log_link_fd(const struct log_link *l); /* borrowed; -1 = not connected */
/* Lets go of the connection; the next record makes another. */
void log_link_cut(struct log_link *l);
struct log_link *log_link_close(struct log_link *l); /* NULL is fine; returns NULL */
