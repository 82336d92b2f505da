/* Who is called what: the names that one container can look up, read from the leases of the networks that it is on. A container is
 * known by its name, its aliases on the network, and the first twelve digits of its id; each also with ".NETWORK" behind it. On the
 * default network there are no names, as in Docker. */
#pragma once

#include "base/arena.h"
#include "base/roots.h"
#include "network/dns.h"

struct names {
    struct roots roots;       /* run_fd alone */
    const char *container_id; /* borrowed */
    struct arena arena;       /* of what follows */
    struct list entries;      /* struct names_entry */
    uint64_t seen;            /* state of the directories that was read; 0 = nothing is */
    unsigned turn;            /* which of several containers with one alias comes first */
};

struct names_entry {
    const char *network;
    struct ip_address address;
    const char *container_id, *container_name;
    struct strs aliases;
};

/* Answers into `out` (room: what the client takes) when it is a container's name or address. Bytes written; 0: it is nobody's. */
size_t names_answer(struct names *n, const uint8_t *query, const struct dns_query *q, uint8_t *out, size_t room);
/* Reads the directories again if they have changed. Called by names_answer(). */
void names_refresh(struct names *n);
/* Gives the memory back. */
void names_forget(struct names *n);
