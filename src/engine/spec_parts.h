/* The parts that spec.c puts together. */
#pragma once

#include "engine/spec.h"

/* --security-opt, parsed. Docker's words, and Podman's mask= and unmask=. */
/* user:role:type:level of its processes; its files have another type. */
enum label_part { LABEL_USER, LABEL_ROLE, LABEL_TYPE, LABEL_LEVEL, LABEL_FILE_TYPE, LABEL_PARTS };

struct security_options {
    bool no_new_privileges;
    bool seccomp_unconfined;
    const char *seccomp_profile; /* the profile's JSON text (the command line reads the file); NULL = the built-in one */
    const char *apparmor;        /* NULL = the default, "" = unconfined */
    bool label_disabled;
    const char *label[LABEL_PARTS]; /* of SELinux's contexts; NULL = as the host's policy has it for containers */
    bool paths_unconfined;          /* systempaths=unconfined */
    bool writable_cgroups;
    struct strs mask, unmask;
};
int security_options_parse(const struct strs *options, struct arena *a, struct security_options *ret, struct error *e);

/* Nodes to make, and the rules of the devices cgroup. */
int spec_devices(const struct spec_input *in, struct arena *a, struct oci_linux *l, struct error *e);
/* proc, sys, dev, …, then what the user asked for, sorted so that parents come first. */
int spec_mounts(const struct spec_input *in, const struct security_options *so, struct arena *a, struct oci_spec *s,
                struct error *e);
