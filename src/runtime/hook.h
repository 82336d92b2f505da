/* Hooks of the OCI runtime specification (config.md, "POSIX-platform Hooks"): programs that the bundle's author has run at certain
 * points of a container's life. They get the container's state on standard input. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct hook {
    const char *path;  /* absolute */
    char *const *argv; /* NULL-terminated; its first word is the program's idea of its own name */
    char *const *envp; /* NULL-terminated; nothing of the caller's environment is added */
    int64_t timeout_s; /* 0 = none */
    const int *dir;    /* descriptor of the directory where it begins; NULL = where we are */
    bool ours;         /* a program of tare's, whose own words are the error when it ends with a status other than 0 */
};

/* Runs the hook in the namespaces of the caller and waits for its end. state: JSON. Errors: -ETIMEDOUT when the time was up (it is
 * killed with its whole process group then), -ECANCELED when it ended with another status than 0; the message carries the first
 * lines of what it wrote. The hook dies with the caller. */
int hook_run(const struct hook *h, const char *state, size_t size, struct error *e);
