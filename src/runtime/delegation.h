/* Control groups of an ordinary user, on a host of cgroup version 2 alone with a systemd of his own: that one delegates the group
 * of a scope, tare<tag>.scope, which holds his monitors and containers and ends with the last of them. In the mount namespace that
 * goes with his user namespace it is shown as /sys/fs/cgroup, so that everything else finds a tree it may write to, as root does.
 *
 * Sources: systemd's "Control Group Interfaces" and "CGROUP_DELEGATION", cgroups(7). */
#pragma once

#include <stdbool.h>

/* To be called after rootless_enter(), by who is about to start a container or to enter one: this process moves into the scope,
 * which is made if need be. Where nothing is delegated it stays where it is, and limits are refused later. `joined`: the namespaces
 * are those of a monitor that lives. */
void delegation_enter(const char *tag, bool joined);
