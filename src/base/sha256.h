/* SHA-256 (FIPS 180-4) for the small documents that the engine itself must name: configurations, manifests, chain IDs. What is
 * large or comes from strangers as a stream is hashed by the workers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32

struct sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    unsigned char block[64];
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *p, size_t n);
void sha256_final(struct sha256 *h, unsigned char ret[SHA256_SIZE]);

/* "sha256:…" of n bytes, with NUL: 72 bytes. */
void sha256_digest(const void *p, size_t n, char ret[72]);
/* The same of what was added. */
void sha256_final_digest(struct sha256 *h, char ret[72]);
