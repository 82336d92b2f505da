#include "model/ip.h"

#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

unsigned ip_bits(const struct ip_address *a) {
    return a->family == IP_V4 ? 32 : a->family == IP_V6 ? 128 : 0;
}

int ip_parse(const char *text, struct ip_address *ret, struct error *e) {
    struct ip_address a = {0};

    if (inet_pton(AF_INET, text, a.bytes) == 1)
        a.family = IP_V4;
    else if (inet_pton(AF_INET6, text, a.bytes) == 1)
        a.family = IP_V6;
    else
        return error_set(e, -EINVAL, "\"%s\" is not an IP address", text);
    *ret = a;
    return 0;
}

int ip_prefix_parse(const char *text, struct ip_prefix *ret, struct error *e) {
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    char address[IP_TEXT_MAX];
    struct ip_prefix p;
    unsigned long length;
    char *end;
    int r;

    if (n >= sizeof(address))
        return error_set(e, -EINVAL, "\"%.64s…\" is not an IP address with a prefix length", text);
    memcpy(address, text, n);
    address[n] = '\0';
    r = ip_parse(address, &p.address, e);
    if (r < 0)
        return r;
    length = ip_bits(&p.address);
    if (slash) {
        errno = 0;
        length = strtoul(slash + 1, &end, 10);
        if (errno || slash[1] < '0' || slash[1] > '9' || *end || length > ip_bits(&p.address))
            return error_set(e, -EINVAL, "\"%s\": the prefix length must be 0 to %u", text, ip_bits(&p.address));
    }
    p.length = (uint8_t)length;
    *ret = p;
    return 0;
}

char *ip_format(const struct ip_address *a, char text[IP_TEXT_MAX]) {
    if (a->family == IP_NONE || !inet_ntop(a->family == IP_V4 ? AF_INET : AF_INET6, a->bytes, text, IP_TEXT_MAX))
        text[0] = '\0';
    return text;
}

char *ip_prefix_format(const struct ip_prefix *p, char text[IP_TEXT_MAX]) {
    char address[IP_TEXT_MAX];

    ip_format(&p->address, address);
    if (address[0])
        (void)snprintf(text, IP_TEXT_MAX, "%.45s/%u", address, p->length);
    else
        text[0] = '\0';
    return text;
}

bool ip_is_equal(const struct ip_address *a, const struct ip_address *b) {
    return a->family == b->family && memcmp(a->bytes, b->bytes, ip_bits(a) / 8) == 0;
}

bool ip_is_unspecified(const struct ip_address *a) {
    static const uint8_t zero[16];

    return a->family != IP_NONE && memcmp(a->bytes, zero, ip_bits(a) / 8) == 0;
}

bool ip_is_loopback(const struct ip_address *a) {
    static const uint8_t one[16] = {[15] = 1};

    return a->family == IP_V4 ? a->bytes[0] == 127 : a->family == IP_V6 && memcmp(a->bytes, one, 16) == 0;
}

/* Whether the first `length` bits agree. */
static bool bits_are_equal(const uint8_t *a, const uint8_t *b, unsigned length) {
    unsigned whole = length / 8, rest = length % 8;

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

bool ip_prefix_has(const struct ip_prefix *p, const struct ip_address *a) {
    return p->address.family == a->family && a->family != IP_NONE && bits_are_equal(p->address.bytes, a->bytes, p->length);
}

bool ip_prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b) {
    return a->address.family == b->address.family && a->address.family != IP_NONE &&
           bits_are_equal(a->address.bytes, b->address.bytes, MIN_OF(a->length, b->length));
}

struct ip_address ip_prefix_base(const struct ip_prefix *p) {
    struct ip_address a = p->address;

    for (unsigned bit = p->length; bit < ip_bits(&a); bit++)
        a.bytes[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
    return a;
}

struct ip_address ip_add(const struct ip_address *a, uint64_t n) {
    struct ip_address sum = *a;
    uint64_t carry = n;

    for (unsigned i = ip_bits(a) / 8; i > 0 && carry; i--) {
        carry += sum.bytes[i - 1];
        sum.bytes[i - 1] = (uint8_t)carry;
        carry >>= 8;
    }
    return sum;
}

uint64_t ip_prefix_size(const struct ip_prefix *p) {
    unsigned host_bits = ip_bits(&p->address) - p->length;

    return host_bits >= 64 ? UINT64_MAX : UINT64_C(1) << host_bits;
}

uint64_t ip_distance(const struct ip_address *base, const struct ip_address *a) {
    uint8_t difference[16] = {0};
    unsigned size = ip_bits(a) / 8;
    int borrow = 0;
    uint64_t n = 0;

    if (base->family != a->family || a->family == IP_NONE)
        return UINT64_MAX;
    for (unsigned i = size; i > 0; i--) {
        int d = a->bytes[i - 1] - base->bytes[i - 1] - borrow;

        borrow = d < 0;
        difference[16 - size + i - 1] = (uint8_t)(d + (borrow ? 256 : 0));
    }
    for (unsigned i = 0; i < 16; i++) {
        if (i < 8 && difference[i])
            return UINT64_MAX;
        n = n << 8 | difference[i];
    }
    return borrow ? UINT64_MAX : n;
}

int mac_parse(const char *text, uint8_t ret[MAC_SIZE], struct error *e) {
    uint8_t mac[MAC_SIZE];
    const char *at = text;

    for (unsigned i = 0; i < MAC_SIZE; i++) {
        char *end;
        unsigned long v = strtoul(at, &end, 16);

        /* Two digits exactly, then a separator or the end: strtoul() alone would take signs and spaces. */
        if (end - at != 2 || strspn(at, "0123456789abcdefABCDEF") != 2 ||
            (i < MAC_SIZE - 1 ? *end != ':' && *end != '-' : *end != '\0'))
            return error_set(e, -EINVAL, "\"%s\" is not a MAC address", text);
        mac[i] = (uint8_t)v;
        at = end + 1;
    }
    if (mac[0] & 1)
        return error_set(e, -EINVAL, "%s is a multicast address, not a MAC address for an interface", text);
    memcpy(ret, mac, MAC_SIZE);
    return 0;
}

char *mac_format(const uint8_t mac[MAC_SIZE], char text[MAC_TEXT_MAX]) {
    (void)snprintf(text, MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
    return text;
}

void mac_from_ip(const struct ip_address *a, uint8_t ret[MAC_SIZE]) {
    unsigned size = ip_bits(a) / 8;

    ret[0] = 0x02;
    ret[1] = a->family == IP_V6 ? 0x46 : 0x42;
    memcpy(ret + 2, a->bytes + (size >= 4 ? size - 4 : 0), 4);
}
