/* systemd as the maker of control groups: a scope is a unit that holds processes which others started, with the group of its own
 * that its slice says. The group is delegated: what is below it, and the limits in it, are ours.
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
/* Whether systemd knows a unit of that name: 1 or 0. */
int systemd_unit_is_known(const char *unit, struct error *e);
/* Stops it, with what is still in it; waits until it is gone. Where all were killed, that takes only systemd's noticing. Absent
 * unit, or no systemd: success. */
int systemd_scope_stop(const char *unit, struct error *e);
/* Changes properties while it runs (and only that long). */
int systemd_scope_change(const char *unit, const struct list *properties, struct error *e);
/* Does systemd run as the host's manager? */
bool systemd_is_there(void);
