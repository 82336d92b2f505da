/* What the commands of networks share. */
#pragma once

#include "cli/filter.h"
#include "network/manage.h"

/* name, id, driver, scope, type, dangling, label: as `network ls --filter` takes them. */
bool network_filters_fit(const struct filters *f, const struct network *n);
