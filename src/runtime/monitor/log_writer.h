/* The log of one container, written by its monitor: cuts output into records, batches them, turns files over.
 *
 * A record is whole in the file or not there: every write ends at a record's end, a short one (full disk) is cut back, and what a
 * SIGKILL tore is cut off when the file is opened again. Memory is bounded and given back when output pauses (log_idle). */
#pragma once

#include "runtime/monitor_client.h"

struct log_writer;

/* `options` is borrowed as long as the writer lives. cgroup: the container's, for a process of the log's own. For LOG_NONE *ret is
 * NULL, which all functions take. */
int log_open(const struct monitor_log_options *options, int container_dirfd, const char *id, const char *cgroup,
             struct log_writer **ret, struct error *e);
/* Takes n bytes that were read from stream 1 or 2. What was lost (full disk) is counted and told in the log later. */
void log_write(struct log_writer *w, int stream, const char *p, size_t n);
/* Writes out what is batched. To be called after each round of reading. */
void log_flush(struct log_writer *w);
/* Does the container have to wait? Then its output is not to be read until log_process_socket() is writable and log_go_on() has
 * made an end of it. Only where a process writes (log_process.h). */
bool log_is_stalled(const struct log_writer *w);
int log_process_socket(const struct log_writer *w);
void log_go_on(struct log_writer *w);
/* Gives memory back to the kernel after a burst. */
void log_idle(struct log_writer *w);
/* The end of the streams: unfinished lines are written. Frees w. Returns NULL. */
struct log_writer *log_close(struct log_writer *w);
