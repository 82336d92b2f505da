/* A process that writes a container's log where the monitor must not wait: for the journal, for syslog, for any driver in the
 * mode non-blocking, and where files are compressed. Between the two stands a socket of whole messages whose buffer is what Docker
 * calls max-buffer-size (64 KB at least).
 *
 * It is a fork of the monitor, ends when the socket does, and writes out what is in it first, however the monitor ended. One that
 * was killed is started again. */
#pragma once

#include <time.h>

#include "base/buf.h"
#include "base/error.h"

struct log_process;

struct log_sink {
    void *arg;
    void (*begin)(void *arg); /* in the new process, before anything else */
    void (*record)(void *arg, int stream, struct timespec t, const char *p, size_t n);
    void (*pause)(void *arg); /* there is nothing more at the moment */
    void (*end)(void *arg);
};

/* The sink is copied; the process works on copies of what it points to. dirfd stays open in it, and `keep` (-1: none). cgroup: of
 * the container; the process goes into the monitors' one. */
int log_process_start(const struct log_sink *sink, size_t buffer_size, int dirfd, int keep, const char *cgroup,
                      struct log_process **ret, struct error *e);
/* Records go over in messages, several in each. Adds one to a message, which may grow to LOG_MESSAGE_MAX. */
#define LOG_MESSAGE_MAX ((size_t)32 << 10)
void log_process_add(struct buf *message, int stream, struct timespec t, const char *p, size_t n);
size_t log_process_room(size_t n); /* that a record of n bytes takes in a message */
/* 0: taken; -EAGAIN: the buffer is full; -EPIPE: there is no process, and none can be started now. */
int log_process_send(struct log_process *p, const void *message, size_t n);
/* Becomes writable when there is room again; borrowed. */
int log_process_fd(const struct log_process *p);
/* Waits for it to write out everything, some seconds at most. NULL is fine; returns NULL. */
struct log_process *log_process_close(struct log_process *p);
