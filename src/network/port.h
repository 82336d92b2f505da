/* Publishing ports. For each: a socket bound to the host's port, so that nobody else takes it unnoticed; a record under
 * <run_root>/ports/ that says whose it is; and an element of the packet filter's maps that does the work.
 *
 * In a network of gateway mode `routed` a port is published at the container's own address: host_ip and target are the same,
 * nothing is translated, and there is no socket.
 *
 * The sockets must live as long as the container: its monitor holds them. Those that listen are relays, since the kernel cannot
 * translate a connection to [::1], nor one from IPv6 to a container without IPv6: when somebody comes, the monitor starts tare-net,
 * which relays. */
#pragma once

#include "kernel/nft.h"
#include "model/port.h"
#include "network/network.h"

#define PORTS_MAX     4096 /* of one container */
#define PORT_RECORDS  "ports"
#define PORT_BY_INPUT "input" /* behind a record's last field */
#define PORT_LEFT     "left"  /* the same */

struct published_port {
    uint8_t protocol;
    struct ip_address host_ip; /* IP_NONE: all */
    uint16_t host_port, container_port;
    struct ip_address target4, target6; /* the container's addresses that it leads to; IP_NONE = none */
    int fd4, fd6;                       /* bound sockets, -1 = none; the caller owns them. fd6 listens when it is a TCP relay */
    bool relay;                         /* fd6 is one */
    bool relay_all;                     /* both are: an ordinary user's, whose containers are in another namespace; or by_input */
    bool held;                          /* PUBLISH_HELD: the sockets do nothing */
    bool left;                          /* was at the container's own address, which it has no more */
    bool by_input;                      /* PUBLISH_INPUT: nothing is translated, and the client's address is not kept */
    uint8_t n_elements;
    struct nft_element elements[2];     /* to be added by a plan step: nft_elements_add(table, …); JOURNAL_PORT each */
    const char *record;                 /* absolute path: JOURNAL_LEASE */
    const struct port_mapping *mapping; /* what was asked for; the caller's */
};

/* Takes host ports for the mappings (struct port_mapping). With PUBLISH_HELD the attachment is empty: a record that leads nowhere
 * keeps the port from others. An ordinary user's are behind the host's input rules in either mode. *ret: struct published_port. On
 * failure nothing stays taken. -EADDRINUSE names the process or container that holds the port. */
int port_publish(const struct roots *roots, const char *container_id, const char *container_name, const struct list *mappings,
                 const struct network_attachment *attachment, enum publish_mode mode, struct arena *a, struct list *ret,
                 struct error *e);
/* Closes the sockets and removes the records: for a start that fails before its journal is written. */
void port_release(const struct list *published);
struct port_sockets_held {
    int *fds; /* borrowed from the ports */
    size_t n;
    size_t n_relays; /* so many of them, the first, wait for somebody */
};
/* For struct monitor_launch.sockets. */
void port_sockets(const struct list *published, struct arena *a, struct port_sockets_held *ret);
/* Closes the caller's copies of the sockets. */
void port_close(const struct list *published);
/* All elements of the ports, for nft_elements_add(): *ret is of struct nft_element. */
void port_elements(const struct list *published, struct arena *a, struct list *ret);
/* Appends the elements (struct nft_element) of all ports that are recorded: for a table that is made anew. */
int port_recorded_elements(const struct roots *roots, struct arena *a, struct list *ret, struct error *e);

/* A container's addresses on one network; IP_NONE = none. */
struct port_way {
    struct ip_address target4, target6;
};
/* The container's ports that lead there (to neither: nowhere). *ret: struct published_port, without sockets; the records are
 * absolute paths. */
int port_leading(const struct roots *roots, const char *container_id, const struct port_way *way, struct arena *a, struct list *ret,
                 struct error *e);
/* The same ports leading to other addresses, or nowhere; they stay held. The elements are new: to be written down before
 * port_replace() puts them in the place of the old ones. tare-net has to be started anew, for what it relays. */
void port_turn(const struct list *ports, const struct port_way *to, struct arena *a, struct list *ret);
int port_replace(const struct roots *roots, const char *container_id, const char *container_name, const struct list *from,
                 const struct list *to, struct arena *a, struct error *e);
/* Gives back the records of the owner that `but` (a journal's text) does not name: for the owner's healer. */
void port_forget(const struct roots *roots, const char *container_id, const char *but);

struct port_record {
    uint8_t protocol;
    struct ip_address host_ip;
    uint16_t host_port;
    const char *container_id, *container_name;
    struct ip_address target4, target6;
    uint16_t container_port;
    bool by_input, left;
};
/* Published at the container's own address. */
bool port_is_routed(const struct port_record *p);
/* All records (struct port_record). */
int port_list(const struct roots *roots, struct arena *a, struct list *ret, struct error *e);
