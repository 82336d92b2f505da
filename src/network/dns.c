#include "network/dns.h"

#include <stdio.h>
#include <string.h>

#define LABEL_MAX      63
#define TEXT_MAX       253 /* 255 bytes with the first length and the root */
#define POINTER_BITS   0xc0u
#define TTL_S          5 /* a container may be gone a moment later, and its address be another's */
#define RECORDS_MAX    8 /* that a query may bring along */
#define OPT_SIZE       11
#define REVERSE4       ".in-addr.arpa"
#define REVERSE6       ".ip6.arpa"
#define REVERSE6_CHARS 63 /* 32 digits with dots between */

/* The third and fourth byte of a header. */
enum { BIT_RESPONSE = 0x80, BITS_OPCODE = 0x78, BIT_TRUNCATED = 0x02, BIT_RECURSION_DESIRED = 0x01 };
enum { BIT_RECURSION_AVAILABLE = 0x80, BIT_CHECKING_DISABLED = 0x10, BITS_CODE = 0x0f };

static uint16_t get16(const uint8_t *p) {
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, unsigned v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static uint8_t lower(uint8_t c) {
    return (uint8_t)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* --- queries --------------------------------------------------------------------------------------------------------------- */

/* The name at `at`; the offset behind it, or -EBADMSG. A question's name is never compressed: there is nothing before it. */
static ssize_t read_name(const uint8_t *p, size_t n, size_t at, struct dns_query *q) {
    size_t out = 0;

    while (at < n && p[at]) {
        size_t label = p[at++];

        if (label > LABEL_MAX || at + label > n || out + label > TEXT_MAX)
            return -EBADMSG;
        if (out)
            q->name[out++] = '.';
        for (size_t i = 0; i < label; i++, at++) {
            /* A NUL inside a label would end the text: no name here has one. */
            q->name[out++] = (char)(p[at] ? lower(p[at]) : '?');
        }
    }
    q->name[out] = '\0';
    return at < n ? (ssize_t)at + 1 : -EBADMSG;
}

/* Over a name that may be compressed; the pointer is not followed. */
static ssize_t skip_name(const uint8_t *p, size_t n, size_t at) {
    while (at < n && p[at]) {
        if ((p[at] & POINTER_BITS) == POINTER_BITS)
            return at + 2 <= n ? (ssize_t)at + 2 : -EBADMSG;
        if (p[at] > LABEL_MAX)
            return -EBADMSG;
        at += 1u + p[at];
    }
    return at < n ? (ssize_t)at + 1 : -EBADMSG;
}

/* The records behind the question: of interest is the one with the client's size. */
static int read_options(const uint8_t *p, size_t n, unsigned records, struct dns_query *q) {
    size_t at = q->end;

    if (records > RECORDS_MAX)
        return -EBADMSG;
    for (unsigned i = 0; i < records; i++) {
        ssize_t behind = skip_name(p, n, at);

        if (behind < 0 || (size_t)behind + 10 > n)
            return -EBADMSG;
        if (get16(p + behind) == DNS_OPT) {
            q->edns = true;
            q->udp_size = MIN_OF(MAX_OF(get16(p + behind + 2), (uint16_t)DNS_UDP_SIZE), (uint16_t)DNS_UDP_MAX);
        }
        at = (size_t)behind + 10 + get16(p + behind + 8);
        if (at > n)
            return -EBADMSG;
    }
    return 0;
}

int dns_query_parse(const uint8_t *p, size_t n, struct dns_query *ret) {
    struct dns_query q = {.udp_size = DNS_UDP_SIZE};
    ssize_t at;

    if (n < DNS_HEADER_SIZE || (p[2] & BIT_RESPONSE))
        return -EBADMSG;
    if (p[2] & BITS_OPCODE)
        return DNS_NOT_IMPLEMENTED;
    if (get16(p + 4) != 1 || get16(p + 6) || get16(p + 8))
        return DNS_MALFORMED;
    at = read_name(p, n, DNS_HEADER_SIZE, &q);
    if (at < 0 || (size_t)at + 4 > n)
        return DNS_MALFORMED;
    q.id = get16(p);
    q.type = get16(p + at);
    q.class = get16(p + at + 2);
    q.end = (size_t)at + 4;
    if (read_options(p, n, get16(p + 10), &q) < 0)
        return DNS_MALFORMED;
    *ret = q;
    return 0;
}

static int digit_of(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool dns_reverse_parse(const char *name, struct ip_address *ret) {
    size_t length = strlen(name);
    struct ip_address a = {.family = IP_V4};
    unsigned b[4];
    int used = 0;

    if (sscanf(name, "%3u.%3u.%3u.%3u" REVERSE4 "%n", &b[3], &b[2], &b[1], &b[0], &used) == 4 && used && (size_t)used == length) {
        for (int i = 0; i < 4; i++) {
            if (b[i] > UINT8_MAX)
                return false;
            a.bytes[i] = (uint8_t)b[i];
        }
        *ret = a;
        return true;
    }
    if (length != REVERSE6_CHARS + strlen(REVERSE6) || strcmp(name + REVERSE6_CHARS, REVERSE6) != 0)
        return false;
    a.family = IP_V6;
    for (int i = 0; i < 32; i++) {
        int digit = digit_of(name[2 * i]);

        if (digit < 0 || name[2 * i + 1] != '.')
            return false;
        a.bytes[15 - i / 2] |= (uint8_t)(i % 2 ? digit << 4 : digit);
    }
    *ret = a;
    return true;
}

/* --- answers --------------------------------------------------------------------------------------------------------------- */

void dns_answer_begin(struct dns_answer *a, const uint8_t *query, const struct dns_query *q, uint8_t *out, size_t room) {
    *a = (struct dns_answer){.out = out, .size = q->end, .room = room - (q->edns ? OPT_SIZE : 0), .query = q};
    memcpy(out, query, q->end);
}

static void add_record(struct dns_answer *a, enum dns_type type, const void *data, size_t n) {
    /* The name is that of the question, by reference. */
    const uint8_t head[] = {POINTER_BITS, DNS_HEADER_SIZE, 0, (uint8_t)type, 0, DNS_CLASS_IN, 0, 0, 0, TTL_S, 0, (uint8_t)n};

    if (a->size + sizeof(head) + n > a->room) {
        a->truncated = true;
        return;
    }
    memcpy(a->out + a->size, head, sizeof(head));
    memcpy(a->out + a->size + sizeof(head), data, n);
    a->size += sizeof(head) + n;
    a->records++;
}

void dns_answer_address(struct dns_answer *a, const struct ip_address *address) {
    add_record(a, address->family == IP_V6 ? DNS_AAAA : DNS_A, address->bytes, ip_bits(address) / 8);
}

void dns_answer_name(struct dns_answer *a, const char *name) {
    uint8_t data[DNS_NAME_MAX];
    size_t n = 0;

    for (const char *label = name; *label;) {
        size_t size = strcspn(label, ".");

        if (size == 0 || size > LABEL_MAX || n + size + 2 > DNS_NAME_MAX - 1)
            return;
        data[n++] = (uint8_t)size;
        memcpy(data + n, label, size);
        n += size;
        label += size + (label[size] == '.');
    }
    data[n++] = 0;
    add_record(a, DNS_PTR, data, n);
}

/* Bits of the query that an answer repeats, and what we are. */
static void write_flags(uint8_t *out, enum dns_code code, bool truncated) {
    out[2] = (uint8_t)(BIT_RESPONSE | (out[2] & (BITS_OPCODE | BIT_RECURSION_DESIRED)) | (truncated ? BIT_TRUNCATED : 0));
    out[3] = (uint8_t)(BIT_RECURSION_AVAILABLE | (out[3] & BIT_CHECKING_DISABLED) | code);
}

size_t dns_answer_end(struct dns_answer *a, enum dns_code code) {
    static const uint8_t opt[OPT_SIZE] = {0, 0, DNS_OPT, DNS_UDP_MAX >> 8, DNS_UDP_MAX & UINT8_MAX};

    write_flags(a->out, code, a->truncated);
    put16(a->out + 6, a->records);
    put16(a->out + 8, 0);
    put16(a->out + 10, a->query->edns);
    if (a->query->edns) {
        memcpy(a->out + a->size, opt, sizeof(opt));
        a->size += sizeof(opt);
    }
    return a->size;
}

size_t dns_refuse(const uint8_t *p, size_t n, enum dns_code code, uint8_t *out) {
    if (n < DNS_HEADER_SIZE)
        return 0;
    memcpy(out, p, DNS_HEADER_SIZE);
    write_flags(out, code, false);
    memset(out + 4, 0, DNS_HEADER_SIZE - 4);
    return DNS_HEADER_SIZE;
}

/* --- answers of servers ---------------------------------------------------------------------------------------------------- */

int dns_answer_check(const uint8_t *p, size_t n, const uint8_t *query, const struct dns_query *q) {
    int code;

    if (n < DNS_HEADER_SIZE || !(p[2] & BIT_RESPONSE) || memcmp(p, query, 2) != 0)
        return -EBADMSG;
    code = p[3] & BITS_CODE;
    if (get16(p + 4) == 0 && code != DNS_OK) /* a server that could not read the question need not repeat it */
        return code;
    if (get16(p + 4) != 1 || n < q->end)
        return -EBADMSG;
    for (size_t i = DNS_HEADER_SIZE; i < q->end; i++)
        if (lower(p[i]) != lower(query[i]))
            return -EBADMSG;
    return code;
}

void dns_set_id(uint8_t *p, uint16_t id) {
    put16(p, id);
}

size_t dns_truncate(uint8_t *p, const struct dns_query *q) {
    p[2] |= BIT_TRUNCATED;
    memset(p + 6, 0, 6);
    return q->end;
}
