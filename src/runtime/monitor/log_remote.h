/* Logs that somebody else keeps: records for the journal (its native protocol) and for syslog, in Docker's forms of them.
 *
 * Sources: systemd's JOURNAL_NATIVE_PROTOCOL; RFC 3164, RFC 5424; Docker's daemon/logger/journald and syslog, srslog. */
#pragma once

#include <time.h>

#include "runtime/monitor_client.h"

struct log_remote;

/* `options` is borrowed. Fails when nobody takes the log. */
int log_remote_open(const struct monitor_log_options *options, struct log_remote **ret, struct error *e);
/* A line with its newline, or a part of one without. It goes over whole, or is lost and told of later. */
void log_remote_send(struct log_remote *r, int stream, struct timespec t, const char *p, size_t n);
int log_remote_fd(const struct log_remote *r);             /* of the connection; borrowed; -1 = none; NULL is fine */
void log_remote_cut(struct log_remote *r);                 /* in the process that does not send */
struct log_remote *log_remote_close(struct log_remote *r); /* NULL is fine; returns NULL */
