#include "image/worker/codec.h"

#include <bzlib.h>
#include <lzma.h>
#include <string.h>
#include <zstd.h>

#ifdef HAVE_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

#include "model/image_spec.h"

#define ZSTD_WINDOW_LOG_MAX 27                    /* 128 MiB: what `zstd --ultra -22` makes; --long=31 would ask for 2 GiB */
#define XZ_MEMORY_MAX       ((uint64_t)200 << 20) /* xz -9 needs 65 MiB */
#define CODEC_BZIP2         (LAYER_DETECT + 1)    /* only whole archives (`load`, `import`) come like this, never layers */
#define CODEC_XZ            (LAYER_DETECT + 2)

struct codec {
    int kind;
    bool done;    /* a member (frame) ended here: the stream may end, or another begins */
    bool started; /* some input was seen */
    codec_out_fn *out;
    void *arg;
    unsigned char *buffer; /* CODEC_OUT_SIZE bytes */
#ifdef HAVE_ISAL
    struct inflate_state gzip;
#else
    z_stream gzip;
#endif
    ZSTD_DCtx *zstd;
    bz_stream bzip2;
    lzma_stream xz;
};

int codec_detect(const unsigned char *p, size_t n, struct error *e) {
    static const struct {
        const char *magic;
        size_t size;
        int kind;
    } known[] = {
        {"\x1f\x8b\x08", 3, LAYER_GZIP},
        {"\x28\xb5\x2f\xfd", 4, LAYER_ZSTD},
        {"BZh", 3, CODEC_BZIP2},
        {"\xfd"
         "7zXZ",
         6, CODEC_XZ},
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (n >= known[i].size && memcmp(p, known[i].magic, known[i].size) == 0)
            return known[i].kind;
    if (n >= 4 && p[0] >= 0x50 && p[0] <= 0x5f && memcmp(p + 1, "\x2a\x4d\x18", 3) == 0)
        return LAYER_ZSTD; /* a skippable frame first, as zstd:chunked and seekable formats have it */
    (void)e;
    return LAYER_PLAIN;
}

static int damaged(const char *what, const char *why, struct error *e) {
    return error_set(e, -EBADMSG, "damaged %s data: %s", what, why);
}

static int emit(struct codec *c, size_t n, struct error *e) {
    return n ? c->out(c->arg, c->buffer, n, e) : 0;
}

/* gzip pads with zeros at times (tapes did); anything else behind the last member is damage. */
static size_t skip_zeros(const unsigned char *p, size_t n) {
    size_t i = 0;

    while (i < n && p[i] == 0)
        i++;
    return i;
}

/* --- gzip ------------------------------------------------------------------------------------------------------------------ */

#ifdef HAVE_ISAL
static void gzip_reset(struct codec *c) {
    isal_inflate_reset(&c->gzip);
    c->gzip.crc_flag = ISAL_GZIP; /* header, CRC-32 and length are read and checked */
}

static void gzip_feed(struct codec *c, const unsigned char *p, size_t n) {
    c->gzip.next_in = (uint8_t *)(uintptr_t)p;
    c->gzip.avail_in = (uint32_t)n;
}

/* Fills the buffer once. 1: the member ended; 0: it goes on. ret_out: bytes in the buffer, ret_left: bytes of the input. */
static int gzip_step(struct codec *c, size_t *ret_out, size_t *ret_left, struct error *e) {
    struct inflate_state *s = &c->gzip;
    int code;

    s->next_out = c->buffer;
    s->avail_out = CODEC_OUT_SIZE;
    code = isal_inflate(s);
    if (code != ISAL_DECOMP_OK && code != ISAL_END_INPUT)
        return damaged("gzip", "invalid stream or checksum", e);
    *ret_out = CODEC_OUT_SIZE - s->avail_out;
    *ret_left = s->avail_in;
    return s->block_state == ISAL_BLOCK_FINISH;
}
#else
static void gzip_reset(struct codec *c) {
    (void)inflateReset(&c->gzip);
}

static void gzip_feed(struct codec *c, const unsigned char *p, size_t n) {
    c->gzip.next_in = (Bytef *)(uintptr_t)p;
    c->gzip.avail_in = (uInt)n;
}

static int gzip_step(struct codec *c, size_t *ret_out, size_t *ret_left, struct error *e) {
    z_stream *s = &c->gzip;
    int code;

    s->next_out = c->buffer;
    s->avail_out = (uInt)CODEC_OUT_SIZE;
    code = inflate(s, Z_NO_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
        return damaged("gzip", s->msg ? s->msg : "invalid stream", e);
    *ret_out = CODEC_OUT_SIZE - s->avail_out;
    *ret_left = s->avail_in;
    return code == Z_STREAM_END;
}
#endif

/* One member, or as much of it as there is. *ret_left: bytes behind its end. */
static int gzip_member(struct codec *c, const unsigned char *p, size_t n, size_t *ret_left, struct error *e) {
    size_t before, out = 0, left = n;

    c->started = true;
    c->done = false;
    gzip_feed(c, p, n);
    do {
        int r, end;

        before = left;
        end = gzip_step(c, &out, &left, e);
        if (end < 0)
            return end;
        r = emit(c, out, e);
        if (r < 0)
            return r;
        c->done = end > 0;
    } while (!c->done && (left || out == CODEC_OUT_SIZE) && (left != before || out));
    *ret_left = left;
    return !c->done && left ? damaged("gzip", "no progress", e) : 0;
}

static int gzip_add(struct codec *c, const unsigned char *p, size_t n, struct error *e) {
    while (n > 0) {
        size_t left;
        int r;

        if (c->done && c->started) { /* between members */
            size_t zeros = skip_zeros(p, n);

            p += zeros;
            n -= zeros;
            if (n == 0)
                break;
            gzip_reset(c);
        }
        r = gzip_member(c, p, n, &left, e);
        if (r < 0)
            return r;
        p += n - left;
        n = left;
    }
    return 0;
}

/* --- zstd, xz, bzip2 ------------------------------------------------------------------------------------------------------- */

static int zstd_add(struct codec *c, const unsigned char *p, size_t n, struct error *e) {
    ZSTD_inBuffer in = {p, n, 0};
    bool full = false;

    while (in.pos < in.size || full) {
        ZSTD_outBuffer out = {c->buffer, CODEC_OUT_SIZE, 0};
        size_t left = ZSTD_decompressStream(c->zstd, &out, &in);
        int r;

        if (ZSTD_isError(left))
            return damaged("zstd", ZSTD_getErrorName(left), e);
        c->done = left == 0;
        full = out.pos == out.size && left != 0;
        r = emit(c, out.pos, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int xz_add(struct codec *c, const unsigned char *p, size_t n, struct error *e) {
    lzma_stream *s = &c->xz;

    s->next_in = p;
    s->avail_in = n;
    do {
        lzma_ret code;
        int r;

        s->next_out = c->buffer;
        s->avail_out = CODEC_OUT_SIZE;
        code = lzma_code(s, LZMA_RUN);
        if (code != LZMA_OK && code != LZMA_BUF_ERROR)
            return damaged("xz", code == LZMA_MEMLIMIT_ERROR ? "it needs too much memory" : "invalid stream", e);
        r = emit(c, CODEC_OUT_SIZE - s->avail_out, e);
        if (r < 0)
            return r;
    } while (s->avail_in || s->avail_out == 0);
    return 0;
}

/* With LZMA_CONCATENATED only the end of the input tells the decoder that no further stream follows. */
static int xz_finish(struct codec *c, struct error *e) {
    lzma_ret code;

    do {
        int r;

        c->xz.next_out = c->buffer;
        c->xz.avail_out = CODEC_OUT_SIZE;
        code = lzma_code(&c->xz, LZMA_FINISH);
        r = emit(c, CODEC_OUT_SIZE - c->xz.avail_out, e);
        if (r < 0)
            return r;
    } while (code == LZMA_OK);
    c->done = code == LZMA_STREAM_END;
    return 0;
}

static int bzip2_add(struct codec *c, const unsigned char *p, size_t n, struct error *e) {
    bz_stream *s = &c->bzip2;

    s->next_in = (char *)(uintptr_t)p;
    s->avail_in = (unsigned)n;
    do {
        int code, r;

        if (c->done) { /* pbzip2 writes many streams, one behind the other */
            (void)BZ2_bzDecompressEnd(s);
            (void)BZ2_bzDecompressInit(s, 0, 0);
            c->done = false;
        }
        s->next_out = (char *)c->buffer;
        s->avail_out = (unsigned)CODEC_OUT_SIZE;
        code = BZ2_bzDecompress(s);
        if (code != BZ_OK && code != BZ_STREAM_END)
            return damaged("bzip2", "invalid stream", e);
        c->done = code == BZ_STREAM_END;
        r = emit(c, CODEC_OUT_SIZE - s->avail_out, e);
        if (r < 0)
            return r;
    } while (s->avail_in || (s->avail_out == 0 && !c->done));
    return 0;
}

/* --- the face -------------------------------------------------------------------------------------------------------------- */

struct codec *codec_new(int kind, codec_out_fn *out, void *arg) {
    struct codec *c = calloc(1, sizeof(*c));

    if (!c)
        abort();
    c->kind = kind;
    c->out = out;
    c->arg = arg;
    c->done = kind == LAYER_PLAIN;
    c->buffer = kind == LAYER_PLAIN ? NULL : malloc(CODEC_OUT_SIZE);
    if (kind != LAYER_PLAIN && !c->buffer)
        abort();
    switch (kind) {
    case LAYER_GZIP:
#ifdef HAVE_ISAL
        isal_inflate_init(&c->gzip);
        gzip_reset(c);
#else
        if (inflateInit2(&c->gzip, 15 + 16) != Z_OK)
            abort();
#endif
        break;
    case LAYER_ZSTD:
        c->zstd = ZSTD_createDCtx();
        if (!c->zstd)
            abort();
        (void)ZSTD_DCtx_setParameter(c->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
        break;
    case CODEC_XZ:
        if (lzma_stream_decoder(&c->xz, XZ_MEMORY_MAX, LZMA_CONCATENATED) != LZMA_OK)
            abort();
        break;
    case CODEC_BZIP2:
        if (BZ2_bzDecompressInit(&c->bzip2, 0, 0) != BZ_OK)
            abort();
        break;
    default: break;
    }
    return c;
}

struct codec *codec_free(struct codec *c) {
    if (!c)
        return NULL;
    switch (c->kind) {
    case LAYER_GZIP:
#ifndef HAVE_ISAL
        (void)inflateEnd(&c->gzip);
#endif
        break;
    case LAYER_ZSTD: (void)ZSTD_freeDCtx(c->zstd); break;
    case CODEC_XZ: lzma_end(&c->xz); break;
    case CODEC_BZIP2: (void)BZ2_bzDecompressEnd(&c->bzip2); break;
    default: break;
    }
    free(c->buffer);
    free(c);
    return NULL;
}

int codec_add(struct codec *c, const void *p, size_t n, struct error *e) {
    if (n == 0)
        return 0;
    switch (c->kind) {
    case LAYER_GZIP: return gzip_add(c, p, n, e);
    case LAYER_ZSTD: return zstd_add(c, p, n, e);
    case CODEC_XZ: return xz_add(c, p, n, e);
    case CODEC_BZIP2: return bzip2_add(c, p, n, e);
    default: return c->out(c->arg, p, n, e);
    }
}

int codec_finish(struct codec *c, struct error *e) {
    int r = c->kind == CODEC_XZ ? xz_finish(c, e) : 0;

    if (r == 0 && !c->done)
        r = error_set(e, -EBADMSG, "compressed data ends too early");
    return r;
}
