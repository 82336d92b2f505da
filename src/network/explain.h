/* What can reach what, in plain words: `tare network explain`. */
#pragma once

#include "network/manage.h"
#include "network/port.h"

/* A chain of somebody else's that would drop what goes to or comes from containers: in nftables a drop anywhere is final. */
struct foreign_drop {
    const char *family; /* as nft(8) calls it: ip, ip6, inet */
    const char *table, *chain;
    const char *command; /* the one command that opens it for `bridge` */
};
/* Base chains at the forward hook, outside this table and firewalld's, that end in a drop (their policy, or a rule for everything)
 * and do not let `bridge` through before (struct foreign_drop). Chains that are jumped to are not looked into: a drop for
 * everything behind such a rule is not told. */
int explain_foreign_drops(const struct roots *roots, const char *bridge, struct arena *a, struct list *ret, struct error *e);
/* Appends the text for a network, by name or id. */
int explain_network(const struct roots *roots, const char *name_or_id, struct arena *a, struct buf *out, struct error *e);
/* Parts of it, for a container's: one published port; what of somebody else's stands in the way of a bridge; the table. */
void explain_port(const struct port_record *p, struct buf *out);
int explain_obstacles(const struct roots *roots, const struct network *n, struct arena *a, struct buf *out, struct error *e);
void explain_table(const struct roots *roots, struct buf *out);
