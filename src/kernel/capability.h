/* Capabilities: their names, and the sets of a thread by the raw system calls.
 *
 * A set is a uint64_t, bit n = capability n (<linux/capability.h>). Source: capabilities(7), capset(2), PR_CAPBSET_DROP(2const). */
#pragma once

#include "base/arena.h"
#include "base/error.h"

#define CAPABILITY_COUNT  41 /* known by name: CAP_CHOWN to CAP_CHECKPOINT_RESTORE */
#define CAPABILITY_BIT(n) (UINT64_C(1) << (n))
#define CAPABILITY_ALL    (CAPABILITY_BIT(CAPABILITY_COUNT) - 1)

struct capability_sets {
    uint64_t effective;
    uint64_t permitted;
    uint64_t inheritable;
    uint64_t bounding;
    uint64_t ambient;
};

/* "CAP_CHOWN"; NULL past the table. */
const char *capability_name(unsigned n);
/* Accepts CAP_CHOWN, CHOWN, chown. -EINVAL names the word and suggests nothing it cannot know. */
int capability_parse(const char *text, unsigned *ret, struct error *e);
/* A list of names to a set; ALL stands for every capability that the kernel knows. */
int capability_parse_list(const struct strs *names, uint64_t *ret, struct error *e);
/* A set as names, lowest number first; the strings are static. */
void capability_list(uint64_t set, struct arena *a, struct strs *ret);

/* Docker's rule for --cap-add and --cap-drop: with ALL added, everything but what is dropped; with ALL dropped, only what is added;
 * else the base without what is dropped, and then what is added. */
int capability_adjust(uint64_t base, const struct strs *add, const struct strs *drop, uint64_t *ret, struct error *e);

/* Every capability that this process can hand on: those of its bounding set, which the kernel knows (cached). A host may have taken
 * some from it; "all" then means all that are left. */
uint64_t capability_kernel(void);
/* The calling thread's sets. */
int capability_get(struct capability_sets *ret, struct error *e);

/* Drops what is not in `set` from the bounding set. Needs CAP_SETPCAP, so it precedes capability_apply(), and any change of the uid
 * that would lose it. */
int capability_bound(uint64_t set, struct error *e);
/* Lets the permitted set survive the coming setresuid() away from 0 (SECBIT_KEEP_CAPS; cleared by the next execve). */
int capability_keep(struct error *e);
/* Sets permitted, effective, inheritable and ambient as given. The order is the kernel's: ambient can only hold what is permitted
 * and inheritable, and shrinks with them. A capability that is wanted but not permitted is -EPERM and named. */
int capability_apply(const struct capability_sets *sets, struct error *e);
