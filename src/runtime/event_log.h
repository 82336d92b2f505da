/* The events of all containers of one engine: one file of JSON lines in the run root, appended by one write each (whole lines, also
 * from many processes at once), in the form that Docker's `events --format json` prints. */
#pragma once

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
