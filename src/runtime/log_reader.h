/* Reads what a monitor has logged: `tare logs`, and the API's /logs. Knows json-file and local, and what is kept beside journald
 * and syslog; goes through rotated files, starts from the end for `tail`, follows by inotify, and passes over what a crash tore. */
#pragma once

#include "base/error.h"
#include "runtime/log_format.h"

/* Non-zero ends the reading and is returned. */
typedef int log_record_fn(const struct log_record *r, void *arg);

struct log_query {
    enum log_driver driver;
    const char *id;        /* full id: names the files */
    int64_t tail;          /* last n records; -1 = all */
    struct timespec since; /* zero = from the beginning */
    struct timespec until; /* zero = no end */
    bool out, err;         /* streams wanted */
    bool follow;
    int run_dirfd; /* for follow: ends when the container's monitor ends; -1 = no container runs */
    /* Gives a file of the plain bytes of a gzip file (a descriptor, owned by the caller), or a negative errno. NULL: files that
     * were compressed are passed over. */
    int (*inflate)(int dirfd, int fd, void *arg, struct error *e);
    void *inflate_arg;
    int stop_fd; /* follow also ends when this becomes readable; -1 = none */
};
#define LOG_QUERY_INIT                                                                                                             \
    { .tail = -1, .out = true, .err = true, .run_dirfd = -1, .stop_fd = -1 }

/* Calls fn for each record. -ENOTSUP for drivers that cannot be read. No file yet is no record. */
int log_read(int container_dirfd, const struct log_query *q, log_record_fn *fn, void *arg, struct error *e);
