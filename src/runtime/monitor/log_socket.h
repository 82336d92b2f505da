/* Logs that go to a socket: journald's native protocol, and syslog (RFC 3164 as /dev/log expects it; RFC 5424 over UDP and TCP).
 * Nothing here ever waits: what a socket does not take at once is dropped, the container goes on. */
#pragma once

#include <time.h>

#include "runtime/monitor_client.h"

struct log_socket;

/* -EINVAL: an address that cannot be used (network addresses are numbers: names are resolved before). */
int log_socket_open(const struct monitor_log_options *options, const char *id, const char *name, struct log_socket **ret,
                    struct error *e);
void log_socket_send(struct log_socket *s, int stream, struct timespec t, const char *p, size_t n);
void log_socket_close(struct log_socket *s);
