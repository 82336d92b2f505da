/* What run, start -a, attach and exec have in common: this terminal, these streams, that exit status. */
#pragma once

#include "cli/cli.h"
#include "runtime/monitor_client.h"

/* Docker's check: -t needs a terminal on standard input. -EINVAL. */
int foreground_check_tty(bool tty, bool attach_stdin, struct error *e);
/* Size of our terminal; 0 0 when there is none. */
void foreground_size(uint32_t *rows, uint32_t *columns);
/* Carries the streams to the end; the exit status, or a negative errno. */
int foreground_carry(struct monitor_conn *conn, const struct foreground_options *o, struct error *e);
