/* Netlink: building messages, sending many in one system call, reading their answers. rtnetlink (links, addresses, routes) and
 * nfnetlink (nftables) both stand on it. Small and without libraries, since the monitor uses it too.
 *
 * A request is answered before sendmsg(2) returns: the kernel works on it in the sender's context. So several requests travel in
 * one message and one drain of the socket collects all answers. Sources: netlink(7), rtnetlink(7), linux/netlink.h. */
#pragma once

#include <linux/netlink.h>

#include "base/buf.h"
#include "base/error.h"

#define NETLINK_NEST_MAX 8

struct netlink_batch {
    struct buf buf;
    size_t message;                 /* offset of the message being built */
    size_t nests[NETLINK_NEST_MAX]; /* offsets of the open nested attributes */
    unsigned depth;
    uint32_t count; /* messages so far; the n-th has sequence number n, from 1 */
};

#define NETLINK_BATCH_INIT                                                                                                         \
    { 0 }
#define _cleanup_netlink_batch_ _cleanup_(netlink_batch_release)
void netlink_batch_release(struct netlink_batch *b);

/* Begins a message; `header` is the family's own fixed header (struct ifinfomsg, …). NLM_F_REQUEST is added. Returns its sequence
 * number. */
uint32_t netlink_message(struct netlink_batch *b, unsigned type, unsigned flags, const void *header, size_t size);
void netlink_attr(struct netlink_batch *b, unsigned type, const void *p, size_t size);
void netlink_attr_str(struct netlink_batch *b, unsigned type, const char *s); /* with its NUL */
void netlink_attr_u8(struct netlink_batch *b, unsigned type, uint8_t v);
void netlink_attr_u16(struct netlink_batch *b, unsigned type, uint16_t v);
void netlink_attr_u32(struct netlink_batch *b, unsigned type, uint32_t v);
void netlink_attr_be16(struct netlink_batch *b, unsigned type, uint16_t v); /* v in host order */
void netlink_attr_be32(struct netlink_batch *b, unsigned type, uint32_t v);
void netlink_attr_be64(struct netlink_batch *b, unsigned type, uint64_t v);
void netlink_raw(struct netlink_batch *b, const void *p, size_t size); /* a fixed header inside a nested attribute */
void netlink_nest(struct netlink_batch *b, unsigned type);
void netlink_nest_end(struct netlink_batch *b);

int netlink_open(int protocol, struct error *e);

/* Called for every message that is neither an acknowledgement nor the end of a dump. A non-zero return ends the reading and is
 * returned. */
typedef int netlink_message_fn(const struct nlmsghdr *message, void *arg);

/* Sends the batch and reads all answers. The first error is returned, with the kernel's own explanation where it gives one;
 * *ret_failed (NULL allowed) is the sequence number of the message that failed. fn may be NULL. */
int netlink_transact(int fd, struct netlink_batch *b, netlink_message_fn *fn, void *arg, uint32_t *ret_failed, struct error *e);
/* Sends one dump request and reads to its end; begins again when the kernel says that the list changed meanwhile, so fn may see an
 * item twice. */
int netlink_dump(int fd, struct netlink_batch *b, netlink_message_fn *fn, void *arg, struct error *e);

/* Reading: the first attribute of a message behind a family header of `header_size`, and the next one; NULL at the end. */
const struct nlattr *netlink_attr_first(const struct nlmsghdr *m, size_t header_size, size_t *left);
const struct nlattr *netlink_attr_nested(const struct nlattr *parent, size_t *left);
const struct nlattr *netlink_attr_next(const struct nlattr *a, size_t *left);
static inline unsigned netlink_attr_type(const struct nlattr *a) {
    return a->nla_type & NLA_TYPE_MASK;
}
static inline const void *netlink_attr_data(const struct nlattr *a) {
    return (const char *)a + NLA_HDRLEN;
}
static inline size_t netlink_attr_size(const struct nlattr *a) {
    return a->nla_len - NLA_HDRLEN;
}
uint32_t netlink_attr_get_u32(const struct nlattr *a); /* 0 when too short */
