/* What is told about a container in the event log (base/event_log.h). */
#pragma once

#include "engine/container.h"

/* Appends an event about the container. */
void container_event(struct engine *engine, const struct container_record *c, const char *action, const char *more);
/* Members of an event's Actor.Attributes: image, name, labels. */
void container_event_attributes(const struct container_record *c, struct buf *out);
