/* A fuzz target is LLVMFuzzerTestOneInput() in test/fuzz/fuzz_NAME.c and a line in test/fuzz/meson.build; its seeds are the files
 * in test/fuzz/seeds/NAME/. Beyond memory errors a target checks what must hold of every input (FUZZ_MUST). */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_MUST(condition)                                                                                                       \
    do {                                                                                                                           \
        if (!(condition)) {                                                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                                         \
            abort();                                                                                                               \
        }                                                                                                                          \
    } while (0)

/* The input as a string of exactly its size, so that a sanitizer sees one byte too many. */
static inline const char *fuzz_text(struct arena *a, const uint8_t *data, size_t size) {
    return arena_strndup(a, (const char *)data, size);
}
