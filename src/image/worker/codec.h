/* Decoders behind one face: input in pieces of any size, output through a function. */
#pragma once

#include "base/error.h"

#define CODEC_OUT_SIZE ((size_t)1 << 20)

struct codec;
/* Takes n plain bytes; a negative return ends decoding. */
typedef int codec_out_fn(void *arg, const void *p, size_t n, struct error *e);

/* kind: enum layer_compression, found by codec_detect(). */
struct codec *codec_new(int kind, codec_out_fn *out, void *arg);
/* NULL is fine. Always NULL. */
struct codec *codec_free(struct codec *c);
int codec_add(struct codec *c, const void *p, size_t n, struct error *e);
int codec_finish(struct codec *c, struct error *e); /* -EBADMSG: the stream ends too early */

#define CODEC_MAGIC_MAX 6
/* By the first bytes (fewer at the end of a short stream). -ENOTSUP: compressed in a way that is not read. */
int codec_detect(const unsigned char *p, size_t n, struct error *e);
