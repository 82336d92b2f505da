/* The events of everything of one engine: one file of JSON lines in the run root, appended by one write each (whole lines, also
 * from many processes at once), in the form that Docker's `events --format json` prints. In this room because every room above
 * changes something: an event is told where the change is made, so that every front door tells it. */
#pragma once

#include <stdarg.h>

#include "base/buf.h"
#include "base/error.h"

#define EVENT_LOG_FILE     "events"
#define EVENT_LOG_SIZE_MAX (8 << 20) /* then it becomes events.1 */

struct event {
    const char *type;       /* container, image, network, volume */
    const char *action;     /* "start", "die", "health_status: healthy" */
    const char *id;         /* Actor.ID */
    const char *image;      /* "from"; NULL = none */
    const char *attributes; /* members of Actor.Attributes without braces, already JSON; NULL = none */
    const char *more;       /* further members ("\"exitCode\":\"0\""); NULL = none */
};
int event_append(int run_root_fd, const struct event *ev, struct error *e);
/* In two steps: all but the time, which the line gets as it is appended. */
void event_format(struct buf *out, const struct event *ev);
void event_format_pairs(struct buf *out, const char *type, const char *action, const char *id, va_list pairs);
int event_append_line(int run_root_fd, const struct buf *line, struct error *e);
/* Is such a line in the log, not older than that? */
bool event_was_told(int run_root_fd, const struct buf *line, int64_t since_ns);
/* The short way: pairs of name and text for the attributes, ended by NULL; a pair whose text is NULL is left out. What fails (a
 * full disk) is not told: the change itself is made. run_root_fd may be -1: nothing happens. */
void event_tell(int run_root_fd, const char *type, const char *action, const char *id, ...) __attribute__((sentinel));

/* Events that will be due later ("unmount" when the container ends) stand ready in a file of `dirfd`, one a line, without the time.
 */
void event_prepare(struct buf *out, const char *type, const char *action, const char *id, ...) __attribute__((sentinel));
/* Appends them with the time that it is, then removes the file; no file is fine. `healed`: somebody was killed before he told all
 * of what begins here ("connect", "mount") or all of these: those whose beginning is not in the log, or whose end is, are left out.
 * What begins is prepared to end before it is told. */
void event_tell_prepared(int run_root_fd, int dirfd, const char *name, bool healed);

/* What the log says last of a container's life: create, start, pause, unpause, die, destroy. */
#define EVENT_ACTION_MAX 16
struct event_last {
    char action[EVENT_ACTION_MAX]; /* "": nothing */
    int64_t time_ns;               /* wall clock */
    bool forgotten;                /* nothing, but older events have been dropped */
};
void event_last(int run_root_fd, const char *container_id, struct event_last *ret);
