/* Questions of containers and answers of servers. An answer never grows past the client's room, and names what was asked. */
#include "fuzz.h"
#include "network/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    uint8_t *copy = arena_memdup(&a, data, size), *out;
    struct ip_address address = {.family = IP_V4};
    struct dns_answer answer;
    struct dns_query q;
    size_t n;
    int r = dns_query_parse(copy, size, &q);

    if (r > 0) {
        out = arena_alloc(&a, DNS_HEADER_SIZE);
        FUZZ_MUST(dns_refuse(copy, size, (enum dns_code)r, out) == DNS_HEADER_SIZE);
    }
    if (r != 0)
        return 0;
    FUZZ_MUST(q.end <= size && q.udp_size >= DNS_UDP_SIZE && q.udp_size <= DNS_UDP_MAX && strlen(q.name) < DNS_NAME_MAX);
    (void)dns_reverse_parse(q.name, &address);
    out = arena_alloc(&a, q.udp_size);
    dns_answer_begin(&answer, copy, &q, out, q.udp_size);
    for (int i = 0; i < 300; i++)
        dns_answer_address(&answer, &address);
    dns_answer_name(&answer, q.name);
    n = dns_answer_end(&answer, DNS_OK);
    FUZZ_MUST(n <= q.udp_size);
    FUZZ_MUST(dns_answer_check(out, n, copy, &q) == DNS_OK);
    FUZZ_MUST(dns_truncate(out, &q) <= n);
    (void)dns_answer_check(copy, size, copy, &q);
    return 0;
}
