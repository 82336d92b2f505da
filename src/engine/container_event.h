/* What is told about a container in the event log (base/event_log.h). */
#pragma once

#include "base/event_change.h"
#include "engine/container.h"

/* Appends an event about the container. */
void container_event(struct engine *engine, const struct container_record *c, const char *action, const char *more);
/* The same of a change of its record: begun before config.json is written. */
void container_event_begin(struct engine *engine, const struct container_record *c, const char *action, const char *more,
                           struct event_change *ret);
/* What its monitor tells has the record's name from now on. */
void container_event_rename(const struct container *c);
/* Members of an event's Actor.Attributes: image, name, labels. */
void container_event_attributes(const struct container_record *c, struct buf *out);
