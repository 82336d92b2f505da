/* The history of a container's health checks: the file `health` in the run directory, written by the monitor, read by inspect. */
#pragma once

#include <time.h>

#include "base/arena.h"
#include "base/error.h"

#define HEALTH_FILE       "health"
#define HEALTH_OUTPUT_MAX ((size_t)4096) /* bytes kept of a check's output, as Docker */
#define HEALTH_ENTRIES    5              /* checks kept */

struct health_entry {
    struct timespec start, end;
    int exit_code; /* -1: it took too long */
    const char *output;
    size_t output_size;
};

/* Adds one and drops the oldest. */
int health_append(int run_dirfd, const struct health_entry *entry, struct error *e);
/* All that are kept, oldest first, as a list of struct health_entry. No file is an empty list. */
int health_read(int run_dirfd, struct arena *a, struct list *ret, struct error *e);
