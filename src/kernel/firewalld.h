/* firewalld(1), by D-Bus: which zone an interface is in. It looks after one network namespace, the one in which its rules stand.
 * Its runtime configuration holds until it is reloaded or ends; its permanent one is what it then begins with. Source:
 * firewalld.dbus(5), org.fedoraproject.FirewallD1.zone and .config.zone. */
#pragma once

#include "base/error.h"

#define FIREWALLD_ZONE_MAX 64

/* Something that changes whenever firewalld has made its rules anew (the handle of its nftables table; with the backend iptables,
 * of a chain): 0 where it does not run, or with the old iptables that are not nftables underneath. Cheap: two requests of the
 * kernel's. */
uint64_t firewalld_generation(void);
/* The zone of an interface; "" when it is in none. -ENOENT, -ECONNREFUSED, -EREMOTEIO, …: it does not answer. */
int firewalld_zone_of(const char *ifname, char zone[FIREWALLD_ZONE_MAX], struct error *e);
/* lasting: in the permanent configuration, else in the one of now. */
int firewalld_zone_add(const char *zone, const char *ifname, bool lasting, struct error *e);
int firewalld_zone_remove(const char *zone, const char *ifname, bool lasting, struct error *e);
