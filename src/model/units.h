/* Numbers as Docker's users write and read them. Pure. */
#pragma once

#include "base/buf.h"
#include "base/error.h"

/* "512", "512b", "512k", "1.5g", "64MiB", "2 GB": 1024-based whatever the suffix, as Docker's RAMInBytes. -1 is let through (it
 * means unlimited for several flags). -EINVAL, -ERANGE. */
int size_parse(const char *text, int64_t *ret_bytes, struct error *e);
/* 1000-based with up to four significant digits: "1.05MB", "0B" (images, ps --size). */
void size_human(int64_t bytes, struct buf *out);
/* The same with `digits` significant digits (3 in `system df` and `images`). */
void size_human_digits(int64_t bytes, int digits, struct buf *out);
/* 1024-based with up to four significant digits: "1.5GiB" (stats, limits). */
void size_human_binary(int64_t bytes, struct buf *out);
/* A decimal number to 10^-9 units: "1.5" gives 1500000000 (--cpus). -EINVAL, -ERANGE. */
int nano_parse(const char *text, int64_t *ret, struct error *e);
/* Base 10, or 0x…/0…: the whole text must be a number within [min, max]. -EINVAL, -ERANGE. */
int int_parse(const char *text, int64_t min, int64_t max, int64_t *ret);
/* strconv.ParseBool: 1 t T TRUE true True and 0 f F FALSE false False. -EINVAL. */
int bool_parse(const char *text, bool *ret);
