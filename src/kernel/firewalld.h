/* firewalld(1), by D-Bus: which zone an interface is in. It looks after one network namespace, the one in which its table stands.
 * What is asked for holds until it is reloaded or ends (its runtime configuration). Source: firewalld.dbus(5),
 * org.fedoraproject.FirewallD1.zone. */
#pragma once

#include "base/error.h"

#define FIREWALLD_ZONE_MAX 64

/* Something that changes whenever firewalld has made its rules anew (the handle of its nftables table): 0 where there is none,
 * because it does not run, or not with the backend nftables. Cheap: one request of the kernel's. */
uint64_t firewalld_generation(void);
/* The zone of an interface; "" when it is in none. -ENOENT, -ECONNREFUSED, -EREMOTEIO, …: it does not answer. */
int firewalld_zone_of(const char *ifname, char zone[FIREWALLD_ZONE_MAX], struct error *e);
int firewalld_zone_add(const char *zone, const char *ifname, struct error *e);
int firewalld_zone_remove(const char *zone, const char *ifname, struct error *e);
