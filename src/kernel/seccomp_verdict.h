/* What a filter of system calls says about one call: the kernel's own machine, for plans that must know before they load it. Pure.
 *
 * Source: seccomp(2). */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "base/cleanup.h"

/* The SECCOMP_RET_… value. A program that the kernel would not load counts as SECCOMP_RET_KILL_PROCESS. */
uint32_t seccomp_verdict(const struct sock_filter *code, size_t n, const struct seccomp_data *call);
/* Whether the call, of this machine's own ABI, would be carried out. */
bool seccomp_allows(const struct sock_filter *code, size_t n, long nr, uint64_t arg0, uint64_t arg1);
