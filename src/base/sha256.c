#include "base/sha256.h"

#include <stdbool.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

#include "base/id.h"

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t k[64] = {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
                               0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
                               0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
                               0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
                               0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
                               0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
                               0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
                               0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static inline uint32_t rotate(uint32_t x, unsigned n) {
    return x >> n | x << (32 - n);
}

static inline uint32_t big_endian(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void compress_portable(uint32_t state[8], const unsigned char *block) {
    uint32_t w[64], s[8];

    for (size_t i = 0; i < 16; i++)
        w[i] = big_endian(block + 4 * i);
    for (size_t i = 16; i < 64; i++) {
        uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;

        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    memcpy(s, state, sizeof(s));
    for (size_t i = 0; i < 64; i++) {
        uint32_t s1 = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
        uint32_t t1 = s[7] + s1 + ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
        uint32_t s0 = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
        uint32_t t2 = s0 + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

        memmove(s + 1, s, 7 * sizeof(*s));
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (size_t i = 0; i < 8; i++)
        state[i] += s[i];
}

typedef void compress_fn(uint32_t state[8], const unsigned char *blocks, size_t n);

static void compress_plain(uint32_t state[8], const unsigned char *blocks, size_t n) {
    for (; n; n--, blocks += 64)
        compress_portable(state, blocks);
}

#ifdef __x86_64__
/* The processor's own rounds (SHA extensions): about eight times as fast. sha256rnds2 wants the eight words as ABEF and CDGH; one
 * step of the loop is four rounds. */
__attribute__((target("sha,sse4.1,ssse3"))) static void compress_x86(uint32_t state[8], const unsigned char *blocks, size_t n) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0), feba, dchg;

    for (; n; n--, blocks += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[4];

#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) {
            __m128i sum;

            if (i < 4) {
                w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(blocks + 16 * i)), swap);
            } else {
                const __m128i last = w[(i + 3) % 4];
                const __m128i older =
                    _mm_add_epi32(_mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]), _mm_alignr_epi8(last, w[(i + 2) % 4], 4));

                w[i % 4] = _mm_sha256msg2_epu32(older, last);
            }
            sum = _mm_add_epi32(w[i % 4], _mm_loadu_si128((const __m128i *)(k + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    feba = _mm_shuffle_epi32(abef, 0x1b);
    dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* Not by __builtin_cpu_supports(): that brings a constructor along, which asks at every start of a program. */
static bool x86_has_sha(void) {
    unsigned a, b, c, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_SHA && __get_cpuid(1, &a, &b, &c, &d) && c & bit_SSE4_1;
}
#endif

/* Under a hypervisor, asking the processor what it can do takes as long as so many blocks: a short text is not worth it. */
#define BLOCKS_WORTH_ASKING 64

static void compress(uint32_t state[8], const unsigned char *blocks, size_t n) {
    static compress_fn *chosen;

    if (!chosen && n < BLOCKS_WORTH_ASKING) {
        compress_plain(state, blocks, n);
        return;
    }
    if (!chosen) {
        chosen = compress_plain;
#ifdef __x86_64__
        if (x86_has_sha())
            chosen = compress_x86;
#endif
    }
    chosen(state, blocks, n);
}

void sha256_init(struct sha256 *h) {
    *h = (struct sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(struct sha256 *h, const void *data, size_t n) {
    const unsigned char *p = data;
    size_t used = h->length % 64;

    h->length += n;
    if (used) {
        size_t part = n < 64 - used ? n : 64 - used;

        memcpy(h->block + used, p, part);
        p += part;
        n -= part;
        if (used + part < 64)
            return;
        compress(h->state, h->block, 1);
    }
    compress(h->state, p, n / 64);
    if (n % 64)
        memcpy(h->block, p + n / 64 * 64, n % 64);
}

void sha256_final(struct sha256 *h, unsigned char ret[SHA256_SIZE]) {
    static const unsigned char padding[64] = {0x80};
    uint64_t bits = h->length * 8;
    size_t used = h->length % 64;
    unsigned char length[8];

    for (size_t i = 0; i < 8; i++)
        length[i] = (unsigned char)(bits >> (56 - 8 * i));
    sha256_add(h, padding, (used < 56 ? 56 : 120) - used);
    sha256_add(h, length, sizeof(length));
    for (size_t i = 0; i < SHA256_SIZE; i++)
        ret[i] = (unsigned char)(h->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_final_digest(struct sha256 *h, char ret[72]) {
    unsigned char sum[SHA256_SIZE];

    sha256_final(h, sum);
    memcpy(ret, "sha256:", 7);
    hex_encode(sum, sizeof(sum), ret + 7);
}

void sha256_digest(const void *p, size_t n, char ret[72]) {
    struct sha256 h;

    sha256_init(&h);
    sha256_add(&h, p, n);
    sha256_final_digest(&h, ret);
}
