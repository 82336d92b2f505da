/* Seccomp profiles in Docker's format: a JSON document whose rules may depend on the container's capabilities, the machine and the
 * kernel. Resolving one gives the OCI specification's linux.seccomp, which depends on nothing any more. Pure.
 *
 * Source: the format that `--security-opt seccomp=FILE` takes (docs.docker.com, "Seccomp security profiles for Docker"). */
#pragma once

#include "base/json.h"
#include "model/oci_spec.h"

#define SECCOMP_PROFILE_MAX ((size_t)1 << 20) /* bytes of a profile that is read at all */

struct seccomp_condition {
    struct strs caps;       /* "CAP_SYS_ADMIN" */
    struct strs arches;     /* "amd64", Go's names */
    const char *min_kernel; /* "4.8" */
};

struct seccomp_rule {
    const char *name; /* old form of names */
    struct strs names;
    const char *action;
    struct opt_u64 errno_ret;
    struct list args;                  /* struct oci_seccomp_arg */
    struct seccomp_condition includes; /* all of them must hold */
    struct seccomp_condition excludes; /* none of them may */
};

struct seccomp_arch_map {
    const char *architecture; /* "SCMP_ARCH_X86_64" */
    struct strs sub_architectures;
};

struct seccomp_profile {
    const char *default_action;
    struct opt_u64 default_errno_ret;
    struct strs architectures; /* old form of arch_map */
    struct list arch_map;      /* struct seccomp_arch_map */
    struct strs flags;
    const char *listener_path;
    const char *listener_metadata;
    struct list rules; /* struct seccomp_rule */
};
extern const struct json_table seccomp_profile_table;

/* The built-in profile's text; static, with NUL. */
const char *seccomp_profile_default(size_t *ret_size);

struct seccomp_host {
    struct strs caps;      /* of the container, by name */
    const char *arch;      /* Go's name of the machine: "amd64" */
    const char *scmp_arch; /* "SCMP_ARCH_X86_64" */
    unsigned kernel_major, kernel_minor;
    bool compat; /* the machine's other ABIs, too, where the profile names them */
};

/* -EINVAL: a field is wrong (named). -EBADMSG: not JSON. */
int seccomp_profile_decode(const char *text, size_t n, struct arena *a, struct seccomp_profile *ret, struct error *e);
/* The rules that hold for this container; points into the profile. The order of the rules is kept: the first that fits decides. */
int seccomp_profile_resolve(const struct seccomp_profile *p, const struct seccomp_host *host, struct arena *a,
                            struct oci_seccomp *ret, struct error *e);
