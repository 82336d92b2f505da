/* Lists of processors and memory nodes as the kernel writes them: "0-3,7". Source: cpuset(7), "Formats for cpus and mems". */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* Whether every number of `asked` is in `available`. -EINVAL when one of them is no such list. */
int cpu_list_within(const char *asked, const char *available, bool *ret, struct error *e);
/* The same as bits, the lowest number first in the lowest bit of the first byte; *ret_n: how many bytes are used. -EINVAL: no such
 * list, or one with a number beyond 8 * size - 1. */
int cpu_list_bits(const char *list, unsigned char *bits, size_t size, size_t *ret_n, struct error *e);
