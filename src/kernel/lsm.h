/* AppArmor, where the host has it: profiles, by name. (SELinux: kernel/selinux.h.)
 *
 * Its policy is loaded in its compiled form (src/data/apparmor), by one write to the kernel's file: no compiler is run. Its
 * files are read through a securityfs of our own that is attached nowhere, whatever is mounted at /sys/kernel/security.
 *
 * Source: Documentation/admin-guide/LSM/apparmor.rst, security/apparmor/apparmorfs.c. */
#pragma once

#include "base/error.h"

#define APPARMOR_DEFAULT "tare-default"

bool lsm_has_apparmor(void); /* built in, and enabled */

/* 1: the profile is loaded; 0: it is not; or a negative errno (-EACCES: only root may ask). */
int apparmor_is_loaded(const char *profile, struct error *e);
/* Loads APPARMOR_DEFAULT, or puts it back when somebody removed it. Needs CAP_MAC_ADMIN. */
int apparmor_load_default(struct error *e);
/* The profile of containers that name none: ours, with `load` loaded if it was not; or where that cannot be (inside another
 * container) the one that another engine left there. NULL: there is none. */
const char *apparmor_default(bool load);
