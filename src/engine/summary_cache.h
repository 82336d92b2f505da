/* RUN_ROOT/cache/summaries: what `ps` shows of each container's record, so that a list of a thousand containers does not read a
 * thousand JSON documents. A summary holds as long as config.json is the same file (inode, time of change, size): the engine never
 * changes one in place, it puts another in its stead. The file may be deleted at any time, and costs only time when it is missing.
 */
#pragma once

#include "engine/summary.h"

struct summary_cache;

/* Lives in the arena. There is always one; without a file it is empty. */
struct summary_cache *summary_cache_open(struct engine *engine, struct arena *a);
/* The summary of a container, without its state; remembered or read. -ENOENT without text: it does not exist (any more). */
int summary_cache_get(struct summary_cache *cache, const char *id, struct container_summary *ret, struct error *e);
/* Writes what was asked for since summary_cache_open(), when enough of it is new that this pays; others are forgotten. */
void summary_cache_save(struct summary_cache *cache);
