/* System calls by name and number, and how wide their arguments are. Internal to the seccomp files. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

struct seccomp_machine {
    const char *scmp;   /* "SCMP_ARCH_X86_64" */
    const char *go;     /* "amd64" */
    uint32_t audit;     /* AUDIT_ARCH_… : what seccomp_data.arch holds */
    uint32_t token;     /* libseccomp's */
    uint32_t number_or; /* x32 numbers carry a bit */
    bool multiplexed;   /* socketcall(2) hides the arguments of socket(2) */
};

const struct seccomp_machine *seccomp_machine_find(const char *scmp); /* NULL: unknown */
const struct seccomp_machine *seccomp_machine_native(void);

/* The call's number (without number_or); -1: this machine has no such call, or nobody knows it. */
int seccomp_call_number(const struct seccomp_machine *arch, const char *name);
/* Is this the number of a call that we know by name? */
bool seccomp_call_is_known(const struct seccomp_machine *arch, int number);
/* One above the highest number that is known. */
int seccomp_call_end(const struct seccomp_machine *arch);
/* How many bits of the argument the kernel looks at: 16, 32 or 64. */
unsigned seccomp_call_width(const char *name, unsigned arg);
