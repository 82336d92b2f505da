/* Filters of system calls for containers. A filter is compiled from the OCI specification's linux.seccomp (which Docker's profiles
 * resolve to, see model/seccomp_profile.h) into a classic BPF program, and kept in the run directory's cache, so that a start reads
 * one small file.
 *
 * What differs from the usual compiler (libseccomp, which here only knows the names):
 *  - An argument is compared at the width that the kernel reads: a 32-bit argument by its low word only, since the upper one is the
 *    caller's to choose (CVE-2019-10063, CVE-2026-123876).
 *  - The rules of one call are tried in the order of the document; the first that fits decides.
 *  - A call that neither the profile nor this program knows gets ENOSYS, not EPERM, where the default action is an error: new C
 *    libraries then fall back to the older call.
 *  - Only the ABIs that are named; every other one gets ENOSYS.
 *
 * Source: seccomp(2), OCI config-linux.md ("Seccomp"). */
#pragma once

#include <linux/filter.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/oci_spec.h"

struct seccomp_program {
    const struct sock_filter *code; /* in the arena */
    size_t n;                       /* instructions */
    uint32_t flags;                 /* SECCOMP_FILTER_FLAG_… for seccomp(2) */
    bool notify;                    /* a rule wants SCMP_ACT_NOTIFY: flags hold NEW_LISTENER */
};

struct seccomp_request {
    const char *profile; /* text of a profile in Docker's format; NULL = the built-in one */
    size_t profile_size;
    uint64_t caps; /* of the container: bit n = capability n */
    bool compat;   /* let programs of the machine's other ABIs run, too (32-bit images) */
};

/* The filter of a container. run_fd: the run directory, whose cache/ holds compiled programs (made if missing; -1 = no cache). A
 * cached program that is damaged or of another tare is compiled anew. */
int seccomp_for_container(int run_fd, const struct seccomp_request *request, struct arena *a, struct seccomp_program *ret,
                          struct error *e);

/* Compiles without any cache. -EINVAL names the field. Rules about calls that this machine does not have are left out, as by other
 * runtimes. */
int seccomp_compile(const struct oci_seccomp *spec, struct arena *a, struct seccomp_program *ret, struct error *e);

/* Loads a program as the calling thread's filter. Needs no_new_privs or CAP_SYS_ADMIN. Returns the listener's descriptor with
 * `notify`, else 0. */
int seccomp_program_load(const struct seccomp_program *program, struct error *e);
