/* IP addresses and prefixes as plain values: no I/O, no name service. Text forms are those of inet_ntop(3); IPv6 zones (%eth0) are
 * refused. */
#pragma once

#include "base/error.h"

#define IP_TEXT_MAX  64 /* an IPv6 address, a slash, three digits, a NUL: with room to spare */
#define MAC_TEXT_MAX 18
#define MAC_SIZE     6

enum ip_family { IP_NONE = 0, IP_V4 = 4, IP_V6 = 6 };

struct ip_address {
    uint8_t family;    /* enum ip_family; IP_NONE = absent */
    uint8_t bytes[16]; /* network order; IPv4 uses the first four, the others are zero */
};

struct ip_prefix {
    struct ip_address address; /* may have host bits: "10.0.0.7/24" is an address with its prefix */
    uint8_t length;            /* in bits */
};

int ip_parse(const char *text, struct ip_address *ret, struct error *e);
/* "10.1.0.0/16"; without a slash the full length. -EINVAL. */
int ip_prefix_parse(const char *text, struct ip_prefix *ret, struct error *e);
char *ip_format(const struct ip_address *a, char text[IP_TEXT_MAX]);
char *ip_prefix_format(const struct ip_prefix *p, char text[IP_TEXT_MAX]);

unsigned ip_bits(const struct ip_address *a); /* 32, 128, or 0 when absent */
bool ip_is_equal(const struct ip_address *a, const struct ip_address *b);
bool ip_is_unspecified(const struct ip_address *a); /* 0.0.0.0 or :: */
bool ip_is_loopback(const struct ip_address *a);    /* 127.0.0.0/8 or ::1 */
bool ip_prefix_has(const struct ip_prefix *p, const struct ip_address *a);
bool ip_prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b); /* false for different families */
struct ip_address ip_prefix_base(const struct ip_prefix *p);                   /* host bits cleared */
/* The address `n` after `a` (wrapping at the end of the address space). */
struct ip_address ip_add(const struct ip_address *a, uint64_t n);
/* How many addresses the prefix spans; UINT64_MAX when more. */
uint64_t ip_prefix_size(const struct ip_prefix *p);
/* a - base as a number; UINT64_MAX when it does not fit or is negative. */
uint64_t ip_distance(const struct ip_address *base, const struct ip_address *a);

int mac_parse(const char *text, uint8_t ret[MAC_SIZE], struct error *e); /* colons or dashes; multicast is refused */
char *mac_format(const uint8_t mac[MAC_SIZE], char text[MAC_TEXT_MAX]);
/* The hardware address that belongs to an address: 02:42 and the IPv4 address, as Docker derives it; for IPv6 its last four bytes
 * behind 02:46. A neighbour table that still knows the address from its last owner is then still right. */
void mac_from_ip(const struct ip_address *a, uint8_t ret[MAC_SIZE]);
