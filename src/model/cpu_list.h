/* Lists of processors and memory nodes as the kernel writes them: "0-3,7". Source: cpuset(7), "Formats for cpus and mems". */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* Whether every number of `asked` is in `available`. -EINVAL when one of them is no such list. */
int cpu_list_within(const char *asked, const char *available, bool *ret, struct error *e);
