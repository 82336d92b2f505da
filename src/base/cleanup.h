/* Ownership that can be seen: `_cleanup_(f)` where a variable is declared, TAKE_FD()/TAKE_PTR() where it is handed over.
 *
 * A function writes its results (`ret_…`) only on success, so a caller's variable stays as initialised on failure. */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f)         __attribute__((cleanup(f)))
#define _printf_(fmt, first) __attribute__((format(printf, fmt, first)))
#define _unused_             __attribute__((unused))
#define _warn_unused_        __attribute__((warn_unused_result))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b)  ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b)  ((a) > (b) ? (a) : (b))

/* Closes once and never retries: on Linux the descriptor is gone even when close() reports EINTR. Keeps errno. Returns -1, so
 * that `fd = fd_close(fd)` also resets the variable. */
static inline int fd_close(int fd) {
    if (fd >= 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
    }
    return -1;
}

static inline void fd_closep(int *fd) {
    *fd = fd_close(*fd);
}
#define _cleanup_fd_ _cleanup_(fd_closep)

static inline void free_ptr(void *p) {
    void **pp = (void **)p;
    free(*pp);
    *pp = NULL;
}
#define _cleanup_free_ _cleanup_(free_ptr)

static inline void dir_closep(DIR **d) {
    if (*d)
        closedir(*d);
    *d = NULL;
}
#define _cleanup_dir_ _cleanup_(dir_closep)

static inline void file_closep(FILE **f) {
    if (*f)
        fclose(*f);
    *f = NULL;
}
#define _cleanup_file_ _cleanup_(file_closep)

static inline int fd_take(int *fd) {
    int taken = *fd;
    *fd = -1;
    return taken;
}
#define TAKE_FD(fd) fd_take(&(fd))

#define TAKE_PTR(p)                                                                                                                \
    ({                                                                                                                             \
        __typeof__(p) taken_ = (p);                                                                                                \
        (p) = NULL;                                                                                                                \
        taken_;                                                                                                                    \
    })
