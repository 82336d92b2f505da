/* systemd as the maker of control groups: a scope is a unit that holds processes which others started, with the group of its own
 * that its slice says. The group is delegated: what is below it, and the limits in it, are ours. Root asks the host's manager;
 * everybody else, root of a user namespace too, the one of his own (`systemd --user`), which needs XDG_RUNTIME_DIR.
 *
 * Sources: org.freedesktop.systemd1(5), systemd.scope(5), systemd's "Control Group Interfaces" and "CGROUP_DELEGATION". */
#pragma once

#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"

/* One property of a unit. `type` is D-Bus's: "s" text, "b" and "i" "u" "x" "t" number, "as" texts, "au" numbers (32 bits), "ay"
 * bytes. */
struct systemd_property {
    const char *name, *type;
    const char *text;
    uint64_t number; /* "i", "x": two's complement */
    struct strs texts;
    const void *data;
    size_t n; /* items of data */
};

/* Starts the scope with the process `pid` in it, and waits until it is there. -ENOTSUP: no systemd runs here; -EEXIST: there is
 * such a unit; -EREMOTEIO with what systemd says of a property. */
int systemd_scope_start(const char *unit, const struct list *properties, pid_t pid, struct error *e);
/* Moves the process into a group of a scope that is there ("/": the scope's own). -ENOENT: there is no such scope. */
int systemd_scope_attach(const char *unit, const char *group, pid_t pid, struct error *e);
/* The group of the manager itself, where that of its units begin: "" for the host's. */
int systemd_manager_group(struct arena *a, const char **ret, struct error *e);
/* Whether systemd knows a unit of that name: 1 or 0. */
int systemd_unit_is_known(const char *unit, struct error *e);
/* Stops it, with what is still in it; waits until it is gone. Where all were killed, that takes only systemd's noticing. Absent
 * unit, or no systemd: success. */
int systemd_scope_stop(const char *unit, struct error *e);
/* Changes properties while it runs (and only that long). */
int systemd_scope_change(const char *unit, const struct list *properties, struct error *e);
/* Is there a manager that we could ask? */
bool systemd_is_there(void);
/* Is it the user's own? */
bool systemd_is_users(void);
