/* Switching forwarding on, as narrowly as the kernel can: per interface. What was switched is recorded in /run/tare-forwarding,
 * for all roots of this host together, and <run_root>/forwarding for an ordinary user (one "path value" a line: what was there
 * before), so that it can be put back.
 *
 * IPv4 knows it per interface since ever. IPv6 since 6.17 (force_forwarding); before, only for the whole host, and a forwarding
 * host takes no more router advertisements, so accept_ra becomes 2 where it was 1. */
#pragma once

#include "base/arena.h"
#include "base/roots.h"

/* For a bridge of our own: forwarding, and 127.0.0.1 as a source towards published ports (route_localnet; the packet filter's
 * `guard` closes what that opens). Nothing to record: the settings die with the bridge. */
int forwarding_open_bridge(const char *bridge, bool ipv6, struct error *e);
/* For every interface of the host that has an address of its own and is not loopback (our bridges forward already). *ret: names of
 * those that forward by our doing (now or earlier); *ret_changed (NULL allowed): whether something had to be switched. */
int forwarding_open_uplinks(const struct roots *roots, bool ipv6, struct arena *a, struct strs *ret, bool *ret_changed,
                            struct error *e);
/* Puts back what was recorded, unless other roots' tables still stand in the packet filter. */
int forwarding_restore(const struct roots *roots, struct error *e);
