/* firewalld's zones. Where firewalld runs, it rejects what is forwarded between interfaces of no zone of its: containers would have
 * no way out. So bridges go into its zone `trusted`, unless somebody has put them into another: in its runtime configuration and in
 * the permanent one, with which it begins again after a reload. Where it was started later, or has forgotten, the next command that
 * needs the network sees so, by the generation of its rules, and joins again. */
#pragma once

#include "network/store.h"

#define ZONE_TRUSTED "trusted"
#define ZONE_STAMP   "firewalld" /* in the run root: the generation that these roots' bridges have joined */

/* Are the bridges in the zone, as far as firewalld has not changed its rules since? True where it does not run. */
bool zone_is_joined(const struct roots *roots);
/* Puts every bridge of these roots that is up into it. What does not succeed is warned of, with what to do. */
void zone_join(const struct roots *roots, struct arena *a);
/* A bridge that goes. */
void zone_leave(const struct roots *roots, const char *bridge);
/* For explaining: the zone of a bridge, "" = none; false: firewalld does not run here. */
bool zone_of(const struct roots *roots, const char *bridge, char zone[]);
