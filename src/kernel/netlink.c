#include "kernel/netlink.h"

#include <string.h>

#include "kernel/netns.h"
#include "kernel/sys.h"

#define RECEIVE_SIZE      32768 /* the kernel's dumps never pass 32 KiB a message (NLMSG_GOODSIZE rules) */
#define DUMP_TRIES_MAX    8     /* of a list that keeps changing while it is read */
#define SEND_BUFFER_SLACK 4096  /* what the kernel's own bookkeeping adds to a message */

void netlink_batch_release(struct netlink_batch *b) {
    buf_release(&b->buf);
    *b = (struct netlink_batch)NETLINK_BATCH_INIT;
}

/* --- building --------------------------------------------------------------------------------------------------------------- */

static void add_padded(struct netlink_batch *b, const void *p, size_t size) {
    static const char zero[NLMSG_ALIGNTO];

    buf_add(&b->buf, p, size);
    buf_add(&b->buf, zero, NLMSG_ALIGN(size) - size);
}

/* The message's length is kept right at every step, so that a batch may be sent at any time. Copied in and out: the buffer may have
 * moved, and says nothing about alignment. */
static void update_length(struct netlink_batch *b) {
    uint32_t length = (uint32_t)(b->buf.size - b->message);

    if (!b->buf.failed)
        memcpy(b->buf.data + b->message + offsetof(struct nlmsghdr, nlmsg_len), &length, sizeof(length));
}

uint32_t netlink_message(struct netlink_batch *b, unsigned type, unsigned flags, const void *header, size_t size) {
    struct nlmsghdr h = {
        .nlmsg_type = (uint16_t)type,
        .nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST),
        .nlmsg_seq = ++b->count,
    };

    b->message = b->buf.size;
    b->depth = 0;
    add_padded(b, &h, sizeof(h));
    add_padded(b, header, size);
    update_length(b);
    return b->count;
}

void netlink_attr(struct netlink_batch *b, unsigned type, const void *p, size_t size) {
    struct nlattr a = {.nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = (uint16_t)type};

    if (size > UINT16_MAX - NLA_HDRLEN) {
        b->buf.failed = true;
        return;
    }
    add_padded(b, &a, sizeof(a));
    add_padded(b, p, size);
    update_length(b);
}

void netlink_attr_str(struct netlink_batch *b, unsigned type, const char *s) {
    netlink_attr(b, type, s, strlen(s) + 1);
}

void netlink_attr_u8(struct netlink_batch *b, unsigned type, uint8_t v) {
    netlink_attr(b, type, &v, sizeof(v));
}

void netlink_attr_u16(struct netlink_batch *b, unsigned type, uint16_t v) {
    netlink_attr(b, type, &v, sizeof(v));
}

void netlink_attr_u32(struct netlink_batch *b, unsigned type, uint32_t v) {
    netlink_attr(b, type, &v, sizeof(v));
}

void netlink_attr_be16(struct netlink_batch *b, unsigned type, uint16_t v) {
    netlink_attr_u16(b, type, __builtin_bswap16(v));
}

void netlink_attr_be32(struct netlink_batch *b, unsigned type, uint32_t v) {
    netlink_attr_u32(b, type, __builtin_bswap32(v));
}

void netlink_attr_be64(struct netlink_batch *b, unsigned type, uint64_t v) {
    uint64_t big = __builtin_bswap64(v);

    netlink_attr(b, type, &big, sizeof(big));
}

void netlink_raw(struct netlink_batch *b, const void *p, size_t size) {
    add_padded(b, p, size);
    update_length(b);
}

void netlink_nest(struct netlink_batch *b, unsigned type) {
    if (b->depth == NETLINK_NEST_MAX) {
        b->buf.failed = true;
        return;
    }
    b->nests[b->depth++] = b->buf.size;
    netlink_attr(b, type | NLA_F_NESTED, NULL, 0);
}

void netlink_nest_end(struct netlink_batch *b) {
    size_t start, size;
    uint16_t length;

    if (b->buf.failed || b->depth == 0) {
        b->buf.failed = true;
        return;
    }
    start = b->nests[--b->depth];
    size = b->buf.size - start;
    if (size > UINT16_MAX) {
        b->buf.failed = true;
        return;
    }
    length = (uint16_t)size;
    memcpy(b->buf.data + start + offsetof(struct nlattr, nla_len), &length, sizeof(length));
}

/* --- talking ---------------------------------------------------------------------------------------------------------------- */

int netlink_open(int protocol, struct error *e) {
    int fd = netns_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    int one = 1;

    if (fd < 0)
        return error_errno(e, fd,
                           protocol == NETLINK_NETFILTER ? "open a socket to the kernel's packet filter"
                                                         : "open a socket to the kernel's network configuration");
    /* Only makes messages better: kernels without it (before 4.12) answer with a number alone. */
    (void)sys_setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
    (void)sys_setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
    return fd;
}

static int send_batch(int fd, const struct netlink_batch *b, struct error *e) {
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t n;

    if (b->buf.failed)
        return error_set(e, -EMSGSIZE, "the request to the kernel is too large");
    if (b->buf.size > (size_t)128 << 10) {
        int size = (int)(b->buf.size + SEND_BUFFER_SLACK);

        /* A batch of thousands of elements passes the default. FORCE needs CAP_NET_ADMIN in the first user namespace. */
        if (sys_setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
            (void)sys_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        (void)sys_setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    }
    do
        n = sys_sendto(fd, b->buf.data, b->buf.size, 0, &kernel, sizeof(kernel));
    while (n == -EINTR);
    return n < 0 ? error_errno(e, (int)n, "ask the kernel") : 0;
}

/* The kernel's own words for a refusal (NLMSGERR_ATTR_MSG), NULL when it gives none. */
static const char *refusal_text(const struct nlmsghdr *m, char *text, size_t room) {
    const struct nlmsgerr *err = NLMSG_DATA(m);
    size_t skip = sizeof(*err), left;

    if (!(m->nlmsg_flags & NLM_F_ACK_TLVS))
        return NULL;
    if (!(m->nlmsg_flags & NLM_F_CAPPED))
        skip += err->msg.nlmsg_len - NLMSG_HDRLEN;
    for (const struct nlattr *a = netlink_attr_first(m, skip, &left); a; a = netlink_attr_next(a, &left))
        if (netlink_attr_type(a) == NLMSGERR_ATTR_MSG) {
            (void)snprintf(text, room, "%.*s", (int)netlink_attr_size(a), (const char *)netlink_attr_data(a));
            return text;
        }
    return NULL;
}

static int refusal(const struct nlmsghdr *m, struct error *e) {
    const struct nlmsgerr *err = NLMSG_DATA(m);
    char text[256];
    const char *said;

    if (m->nlmsg_len < NLMSG_LENGTH(sizeof(*err)))
        return error_set(e, -EBADMSG, "the kernel's answer is too short");
    if (err->error == 0)
        return 0;
    said = refusal_text(m, text, sizeof(text));
    return said ? error_set(e, err->error, "%s (the kernel says: %s)", errno_text(err->error), said)
                : error_set(e, err->error, "%s", errno_text(err->error));
}

struct answers {
    netlink_message_fn *fn;
    void *arg;
    struct error *e;
    uint32_t failed;  /* sequence number of the message that was refused first */
    int code;         /* first refusal */
    bool done;        /* the dump has ended */
    bool interrupted; /* the dump's list changed meanwhile */
};

static void take_message(struct answers *w, const struct nlmsghdr *m) {
    int r = 0;

    if (m->nlmsg_flags & NLM_F_DUMP_INTR)
        w->interrupted = true;
    if (m->nlmsg_type == NLMSG_DONE)
        w->done = true;
    else if (m->nlmsg_type == NLMSG_ERROR)
        r = refusal(m, w->code ? NULL : w->e);
    else if (m->nlmsg_type >= NLMSG_MIN_TYPE && w->fn && w->code == 0)
        r = w->fn(m, w->arg);
    if (r != 0 && w->code == 0) {
        w->code = r;
        w->failed = m->nlmsg_seq;
    }
}

/* Reads one packet; 0 when nothing is waiting. */
static ssize_t receive(int fd, void *data, size_t room, int flags) {
    ssize_t n;

    do
        n = sys_recvfrom(fd, data, room, flags, NULL, NULL);
    while (n == -EINTR);
    return n == -EAGAIN ? 0 : n;
}

static int read_answers(int fd, struct answers *w, int flags) {
    _cleanup_free_ char *data = malloc(RECEIVE_SIZE);
    ssize_t n;

    if (!data)
        return error_errno(w->e, -ENOMEM, "read the kernel's answer");
    while (!w->done && (n = receive(fd, data, RECEIVE_SIZE, flags)) != 0) {
        const struct nlmsghdr *m = (const struct nlmsghdr *)(const void *)data;
        size_t left = n > 0 ? (size_t)n : 0;

        if (n < 0)
            return error_errno(w->e, (int)n, "read the kernel's answer");
        while (left >= sizeof(*m) && m->nlmsg_len >= sizeof(*m) && m->nlmsg_len <= left) {
            size_t step = MIN_OF((size_t)NLMSG_ALIGN(m->nlmsg_len), left);

            take_message(w, m);
            left -= step;
            m = (const struct nlmsghdr *)(const void *)((const char *)m + step);
        }
    }
    return w->code;
}

int netlink_transact(int fd, struct netlink_batch *b, netlink_message_fn *fn, void *arg, uint32_t *ret_failed, struct error *e) {
    struct answers w = {.fn = fn, .arg = arg, .e = e};
    int r = send_batch(fd, b, e);

    if (r < 0)
        return r;
    /* Everything was answered inside sendmsg(2): what is in the queue now is all there will be. */
    r = read_answers(fd, &w, MSG_DONTWAIT);
    if (r != 0 && ret_failed)
        *ret_failed = w.failed;
    return r;
}

int netlink_dump(int fd, struct netlink_batch *b, netlink_message_fn *fn, void *arg, struct error *e) {
    for (int tries = 0;; tries++) {
        struct answers w = {.fn = fn, .arg = arg, .e = e};
        int r = send_batch(fd, b, e);

        if (r == 0)
            r = read_answers(fd, &w, 0);
        if (r != 0 || !w.interrupted || tries == DUMP_TRIES_MAX)
            return r;
    }
}

/* --- reading ---------------------------------------------------------------------------------------------------------------- */

static const struct nlattr *attr_at(const void *p, size_t left) {
    const struct nlattr *a = p;

    return left >= sizeof(*a) && a->nla_len >= sizeof(*a) && a->nla_len <= left ? a : NULL;
}

const struct nlattr *netlink_attr_first(const struct nlmsghdr *m, size_t header_size, size_t *left) {
    size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(header_size);

    *left = m->nlmsg_len > skip ? m->nlmsg_len - skip : 0;
    return attr_at((const char *)m + skip, *left);
}

const struct nlattr *netlink_attr_nested(const struct nlattr *parent, size_t *left) {
    *left = netlink_attr_size(parent);
    return attr_at(netlink_attr_data(parent), *left);
}

const struct nlattr *netlink_attr_next(const struct nlattr *a, size_t *left) {
    size_t step = NLA_ALIGN(a->nla_len);

    if (step >= *left)
        return NULL;
    *left -= step;
    return attr_at((const char *)a + step, *left);
}

uint32_t netlink_attr_get_u32(const struct nlattr *a) {
    uint32_t v = 0;

    if (netlink_attr_size(a) >= sizeof(v))
        memcpy(&v, netlink_attr_data(a), sizeof(v));
    return v;
}
