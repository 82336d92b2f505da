/* What of a container may change while it runs: limits, and the restart policy, which its monitor goes by. */
#pragma once

#include "engine/container.h"

int limits_apply(struct engine *engine, const struct container *c, const struct host_config *limits, struct arena *a,
                 struct error *e);
/* Before a change: what takes it back stands in the run directory until limits_done(). Undone by limits_take_back(), also of a
 * command that was killed: then what `limits` changed is as before. */
int limits_prepare(struct engine *engine, const struct container *c, const struct host_config *changes, struct arena *a,
                   struct error *e);
void limits_take_back(struct engine *engine, const struct container *c, struct arena *a);
void limits_done(const struct container *c);
int limits_tell_policy(const struct container *c, const struct restart_rule *rule, struct error *e);
/* enum restart_policy of a rule that was checked. */
uint32_t restart_policy_of(const struct restart_rule *r);
