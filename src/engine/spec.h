/* From the container as users know it to the OCI runtime's configuration. Pure: what the host or other containers must tell comes
 * in struct spec_input. */
#pragma once

#include "model/container.h"
#include "model/oci_spec.h"
#include "model/user.h"

/* A namespace of another container that is shared (container:X): its first process; 0 = none. */
struct spec_shared {
    int32_t network, ipc, pid, uts, cgroup;
    const char *network_path; /* ns:PATH, cni:NAME; NULL = none */
    bool network_is_ours;     /* made for this container alone */
};

/* SELinux's contexts of a container; NULL = none. */
struct selinux_labels {
    const char *process, *files;
};

/* The host's own hard limits, by RLIMIT_… number; RLIM_INFINITY as UINT64_MAX. */
#define SPEC_RLIMITS 16

struct spec_device {
    const char *path;      /* inside */
    const char *host_path; /* NULL = the same */
    char type;             /* c, b, p */
    uint32_t major, minor, mode, uid, gid;
    const char *access; /* "rwm"; "" = a node alone */
};

struct spec_input {
    const struct container_record *record;
    struct identity user;
    struct spec_shared shared;
    const char *overlays;     /* absolute: where the changes of mounts with O go */
    const char *run_dir;      /* absolute: where resolv.conf, hosts, hostname are; NULL = none are bound */
    const char *cgroups_path; /* "/tare/<id>" */
    uint64_t rlimit_hard[SPEC_RLIMITS];
    bool lower_rlimits; /* a default above the host's hard limit is lowered (no CAP_SYS_RESOURCE) */
    bool may_raise;     /* CAP_SYS_RESOURCE: limits above the host's hard limit can be set */
    bool rootless;
    uint32_t
        rootless_gids; /* ids of groups from 0 on in the namespace that an ordinary user was given; 0: it is not of our making */
    struct oci_block_io *block_io;        /* limits by device, looked up on the host; NULL = none */
    struct list volume_mounts;            /* struct oci_mount: volumes whose options say what is mounted, by destination */
    struct list devices;                  /* struct spec_device, of record->host.devices, looked up on the host */
    struct list all_devices;              /* struct spec_device: --privileged */
    struct list id_maps_uid, id_maps_gid; /* struct oci_id_mapping; empty = no user namespace */
    bool shifts_mounts;                   /* there are, and volumes can be mounted with shifted owners */
    struct strs more_env;                 /* secrets and devices: not in the record, which everybody sees */
    struct list more_mounts;              /* struct oci_mount: the same; in place of the user's own at the same place */
    struct oci_hooks hooks;               /* of devices */
    struct list net_devices;              /* struct oci_net_device, of devices */
    bool own_network;                     /* a network namespace that is not the host's: its loopback is another one */
    bool network_files;   /* resolv.conf and hosts are written (not with network none… they are, but without servers) */
    bool host_mqueue;     /* the host has /dev/mqueue */
    unsigned cpus;        /* of the host, for masked paths per processor */
    const char *apparmor; /* the profile it runs under; NULL = none */
    struct selinux_labels selinux;
};

/* ret's lists live in the arena. adjustments: what had to be lowered, appended. -EINVAL, -EPERM with the option's name. */
int spec_build(const struct spec_input *in, struct arena *a, struct oci_spec *ret, struct list *adjustments, struct error *e);

/* The capabilities of the container as a mask (for the seccomp profile, too). */
int spec_capabilities(const struct host_config *h, uint64_t *ret, struct error *e);
/* The process of an exec: the container's environment, directory and rights with what exec asked for. */
struct exec_request {
    struct strs cmd, env;
    const char *user, *working_dir;
    bool tty, privileged;
};
int spec_exec_process(const struct spec_input *in, const struct exec_request *x, struct arena *a, struct oci_process *ret,
                      struct error *e);
/* "nofile=1024:2048" and the like to RLIMIT_…; NULL = unknown. */
const char *ulimit_rlimit_name(const char *name);
/* Limits of HostConfig as cgroup resources (also for update). */
void spec_limits(const struct host_config *h, struct arena *a, struct oci_resources *r);
