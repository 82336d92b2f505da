/* The running kernel's version, for what cannot be found out by trying: an interface that accepts everything and fails later. */
#pragma once

#include <stdbool.h>

/* By uname(2), asked once. True when the release cannot be read: newer kernels are the rule. */
bool kernel_is_at_least(unsigned major, unsigned minor);
