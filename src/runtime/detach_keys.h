/* The key sequence that takes a foreground client off its container ("ctrl-p,ctrl-q"). Pure. */
#pragma once

#include "base/error.h"

#define DETACH_KEYS_MAX     16
#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"

struct detach_keys {
    unsigned char keys[DETACH_KEYS_MAX];
    size_t n;       /* 0 = none */
    size_t matched; /* how many of them were typed, and held back */
};

/* Docker's grammar: single characters, or ctrl- with a-z @ [ \ ] ^ _ , separated by commas. NULL = the default, "" = none. -EINVAL.
 */
int detach_keys_parse(const char *spec, struct detach_keys *ret, struct error *e);
/* Takes n typed bytes; writes to `out` (room for n + DETACH_KEYS_MAX) what goes on to the container, *ret_n bytes of it. A sequence
 * that was begun and not finished goes on late. true: the sequence is complete. */
bool detach_keys_filter(struct detach_keys *d, const unsigned char *in, size_t n, unsigned char *out, size_t *ret_n);
