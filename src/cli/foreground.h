/* What run, start -a, attach and exec have in common: this terminal, these streams, that exit status. */
#pragma once

#include "cli/cli.h"
#include "engine/container.h"
#include "runtime/monitor_client.h"

/* The configured sequence for who gives none. */
const char *cli_detach_keys(struct cli *cli);
/* Docker's check: -t needs a terminal on standard input. -EINVAL. */
int foreground_check_tty(bool tty, bool attach_stdin, struct error *e);
/* Size of our terminal; 0 0 when there is none. */
void foreground_size(uint32_t *rows, uint32_t *columns);
/* Carries the streams to the end; the exit status, or a negative errno. c: of which it is the first process (NULL: an exec), for a
 * line on standard error when its memory limit has killed. */
int foreground_carry(struct monitor_conn *conn, const struct container *c, const struct foreground_options *o, struct error *e);
