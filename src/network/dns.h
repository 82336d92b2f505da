/* DNS messages: questions read, answers written. Pure, and made for bytes from strangers: every length is checked, no pointer of
 * a compressed name is ever followed, nothing is allocated. Sources: RFC 1035, RFC 6891 (EDNS). */
#pragma once

#include "base/error.h"
#include "model/ip.h"

#define DNS_HEADER_SIZE 12
#define DNS_NAME_MAX    256   /* in text, with its NUL */
#define DNS_UDP_SIZE    512   /* what every client takes by UDP */
#define DNS_UDP_MAX     4096  /* what we send by UDP at most, and take */
#define DNS_TCP_MAX     65535 /* the length in front has two bytes */
#define DNS_CLASS_IN    1
#define DNS_QUERY_MAX   1024 /* a question with its options; longer ones are not answered */

enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, DNS_OPT = 41, DNS_ANY = 255 };
enum dns_code { DNS_OK = 0, DNS_MALFORMED = 1, DNS_SERVER_FAILURE = 2, DNS_NO_NAME = 3, DNS_NOT_IMPLEMENTED = 4, DNS_REFUSED = 5 };

struct dns_query {
    char name[DNS_NAME_MAX]; /* lower case, without the dot at its end; "" is the root */
    uint16_t id, type, class;
    size_t end;        /* bytes of header and question */
    bool edns;         /* it has an OPT record */
    uint16_t udp_size; /* what the client takes by UDP, DNS_UDP_SIZE to DNS_UDP_MAX */
};

/* Reads a query. 0; -EBADMSG: not to be answered at all (too short, or itself an answer); a positive enum dns_code: to be answered
 * with that code by dns_refuse(). */
int dns_query_parse(const uint8_t *p, size_t n, struct dns_query *ret);
/* "4.3.2.1.in-addr.arpa" to 1.2.3.4. */
bool dns_reverse_parse(const char *name, struct ip_address *ret);

/* An answer being written, behind a copy of the query's header and question. */
struct dns_answer {
    uint8_t *out;
    size_t size, room;
    const struct dns_query *query;
    uint16_t records;
    bool truncated; /* something had no room: the client asks again by TCP */
};
/* `room` is the most that the client takes; at least DNS_UDP_SIZE. */
void dns_answer_begin(struct dns_answer *a, const uint8_t *query, const struct dns_query *q, uint8_t *out, size_t room);
void dns_answer_address(struct dns_answer *a, const struct ip_address *address);
void dns_answer_name(struct dns_answer *a, const char *name); /* PTR; without the dot at its end */
size_t dns_answer_end(struct dns_answer *a, enum dns_code code);
/* The header alone with a code: for what dns_query_parse() could not read. Size; 0 when not even a header is there. */
size_t dns_refuse(const uint8_t *p, size_t n, enum dns_code code, uint8_t *out);

/* Is this the answer of a server to `query` (its id, its question)? Its code, or -EBADMSG. */
int dns_answer_check(const uint8_t *p, size_t n, const uint8_t *query, const struct dns_query *q);
void dns_set_id(uint8_t *p, uint16_t id);
/* Cuts an answer that is too large for the client down to its question, with the sign that it was cut. Its size. */
size_t dns_truncate(uint8_t *p, const struct dns_query *q);
