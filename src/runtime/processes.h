/* Processes of containers, from the host's /proc, and the table of them in the words of ps(1). No ps is run, neither the host's nor
 * the container's (CVE-2022-1227). So of its options those are known that people use: -ef, aux, and -o with a list of columns. */
#pragma once

#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

struct process_info {
    pid_t pid, parent;
    uint32_t uid;
    const char *user;     /* the host's name for uid, else its number */
    const char *terminal; /* "pts/0", "?" */
    int64_t started;      /* seconds since the epoch */
    uint64_t cpu_s;       /* seconds of processor time */
    unsigned cpu_percent; /* over its life */
    uint64_t rss_kib, vsz_kib;
    char state;
    const char *command, *arguments; /* name; whole command line, "[name]" when it has none */
};

/* pids: of pid_t. ret: of struct process_info, by pid; those that have ended are left out. */
void processes_read(const struct list *pids, struct arena *a, struct list *ret);
/* The host's name of a user, else the number. */
const char *processes_user(uint32_t uid, struct arena *a);
/* What ps' options ask for; none: -ef. -EINVAL names what is not known. */
int processes_columns(const struct strs *options, struct arena *a, struct list *ret, struct error *e);
void processes_table(const struct list *columns, const struct list *processes, struct arena *a, size_t width_min, struct buf *out);
