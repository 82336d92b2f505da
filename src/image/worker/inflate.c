/* The role that sees nothing but pipes: blob in, plain archive out, both hashed on the way. */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "base/fs.h"
#include "base/sha256.h"
#include "image/worker/codec.h"
#include "image/worker/worker.h"
#include "kernel/confine.h"

#define IN_SIZE         ((size_t)1 << 20)
#define PROGRESS_STEP   ((uint64_t)1 << 20)  /* bytes between two messages */
#define RATIO_FLOOR     ((uint64_t)64 << 20) /* unpacked bytes below which no ratio is suspicious */
#define MEMORY_MAX      ((rlim_t)768 << 20)
#define CPU_SECONDS_MAX 7200

struct inflater {
    const struct worker_request *request;
    struct worker_message *result;
    struct sha256 in_hash, out_hash;
    struct codec *codec;
    unsigned char head[CODEC_MAGIC_MAX]; /* the first bytes, until they tell the compression */
    size_t head_size;
    uint64_t reported;
};

int inflate_confine(const struct worker_request *request, struct error *e) {
    static const struct cage_call calls[] = {
        CAGE_CALL(read),    CAGE_CALL(pread64), CAGE_CALL(write),  CAGE_CALL(pwrite64), CAGE_CALL(sendto),
        CAGE_CALL(close),   CAGE_CALL(mmap),    CAGE_CALL(munmap), CAGE_CALL(mremap),   CAGE_CALL(brk),
        CAGE_CALL(madvise), CAGE_CALL(futex),   CAGE_CALL(lseek),  CAGE_CALL(getpid),   CAGE_CALL(rt_sigprocmask),
    };
    static const int fds[] = {WORKER_FD_SOCKET, WORKER_FD_TARGET};
    const struct cage_limit limits[] = {
        {RLIMIT_AS, MEMORY_MAX},
        {RLIMIT_NOFILE, 16},
        {RLIMIT_CPU, CPU_SECONDS_MAX},
        {RLIMIT_NPROC, 0},
        {RLIMIT_FSIZE, request->size == UINT64_MAX ? RLIM_INFINITY : request->size},
    };
    struct cage cage = CAGE_INIT_WORKER;

    if (request->flags & WORKER_NOBODY)
        cage.uid = cage.gid = 65534;
    cage.fds = fds;
    cage.fd_count = request->flags & WORKER_KEEP ? 2 : 1;
    cage.limits = limits;
    cage.limit_count = ARRAY_SIZE(limits);
    cage.calls = calls;
    cage.call_count = ARRAY_SIZE(calls);
    return confine(&cage, NULL, e);
}

static int take_plain(void *arg, const void *p, size_t n, struct error *e) {
    struct inflater *f = arg;
    const struct worker_request *q = f->request;
    uint64_t out = f->result->out_bytes += n;
    int r;

    if (out > q->unpacked_max)
        return error_set(e, -EFBIG, "the layer is larger than %llu bytes when unpacked (layer_size_max in tare.conf)",
                         (unsigned long long)q->unpacked_max);
    if (q->image_room && out > q->image_room)
        return error_set(e, -EFBIG, "the image is larger than image_size_max in tare.conf allows");
    if (q->ratio_max && out > RATIO_FLOOR && out / q->ratio_max > f->result->in_bytes)
        return error_set(e, -EFBIG,
                         "the layer grows to more than %llu times its size (layer_ratio_max in tare.conf): refused as a "
                         "decompression bomb",
                         (unsigned long long)q->ratio_max);
    sha256_add(&f->out_hash, p, n);
    r = fs_write_all(STDOUT_FILENO, p, n);
    return r < 0 ? error_errno(e, r, "pass the unpacked bytes on") : 0;
}

static void report_progress(struct inflater *f) {
    struct worker_message m = {.kind = WORKER_PROGRESS, .in_bytes = f->result->in_bytes};

    if (f->result->in_bytes - f->reported < PROGRESS_STEP)
        return;
    f->reported = f->result->in_bytes;
    worker_send(&m);
}

/* Collects the first bytes, until there are enough to tell the compression (or the stream ended). */
static int start_codec(struct inflater *f, const unsigned char **p, size_t *n, bool end, struct error *e) {
    size_t more = MIN_OF(*n, sizeof(f->head) - f->head_size);
    int kind;

    if (more)
        memcpy(f->head + f->head_size, *p, more);
    f->head_size += more;
    *p += more;
    *n -= more;
    if (f->head_size < sizeof(f->head) && !end)
        return 0;
    kind = codec_detect(f->head, f->head_size, e);
    if (kind < 0)
        return kind;
    f->result->compression = (uint32_t)kind;
    f->codec = codec_new(kind, take_plain, f);
    return codec_add(f->codec, f->head, f->head_size, e);
}

static int take_blob(struct inflater *f, const unsigned char *p, size_t n, bool keep, struct error *e) {
    int r = 0;

    if (f->request->size != UINT64_MAX && f->result->in_bytes + n > f->request->size)
        return error_set(e, -EBADMSG, "the blob is larger than the %llu bytes that were announced",
                         (unsigned long long)f->request->size);
    if (keep) {
        r = fs_write_all(WORKER_FD_TARGET, p, n);
        if (r < 0)
            return error_errno(e, r, "write the blob");
    }
    f->result->in_bytes += n;
    sha256_add(&f->in_hash, p, n);
    if (!f->codec)
        r = start_codec(f, &p, &n, false, e);
    if (r == 0 && f->codec)
        r = codec_add(f->codec, p, n, e);
    if (r == 0)
        report_progress(f);
    return r;
}

static int read_kept(struct inflater *f, unsigned char *buffer, struct error *e) {
    for (uint64_t at = 0; at < f->request->kept;) {
        size_t want = (size_t)MIN_OF((uint64_t)IN_SIZE, f->request->kept - at);
        ssize_t n = pread(WORKER_FD_TARGET, buffer, want, (off_t)at);
        int r;

        if (n <= 0)
            return error_errno(e, n < 0 ? -errno : -EIO, "read the part of the blob that was received before");
        r = take_blob(f, buffer, (size_t)n, false, e);
        if (r < 0)
            return r;
        at += (uint64_t)n;
    }
    if (f->request->flags & WORKER_KEEP && lseek(WORKER_FD_TARGET, (off_t)f->request->kept, SEEK_SET) < 0)
        return error_errno(e, -errno, "go on in the partial blob");
    return 0;
}

static int read_all(struct inflater *f, unsigned char *buffer, struct error *e) {
    int r = read_kept(f, buffer, e);

    while (r == 0) {
        ssize_t n = read(STDIN_FILENO, buffer, IN_SIZE);

        if (n < 0 && errno != EINTR)
            return error_errno(e, -errno, "read the blob");
        if (n == 0)
            return 0;
        if (n > 0)
            r = take_blob(f, buffer, (size_t)n, f->request->flags & WORKER_KEEP, e);
    }
    return r;
}

int inflate_run(const struct worker_request *request, struct worker_message *result, struct error *e) {
    struct inflater f = {.request = request, .result = result};
    _cleanup_free_ unsigned char *buffer = malloc(IN_SIZE);
    const unsigned char *nothing = buffer;
    size_t none = 0;
    int r;

    if (!buffer)
        abort();
    sha256_init(&f.in_hash);
    sha256_init(&f.out_hash);
    r = read_all(&f, buffer, e);
    if (r == 0 && request->size != UINT64_MAX && result->in_bytes < request->size)
        r = error_set(e, -ENODATA, "the blob ends after %llu of %llu bytes", (unsigned long long)result->in_bytes,
                      (unsigned long long)request->size);
    if (r == 0 && !f.codec)
        r = start_codec(&f, &nothing, &none, true, e);
    if (r == 0)
        r = codec_finish(f.codec, e);
    sha256_final(&f.in_hash, result->in_hash);
    sha256_final(&f.out_hash, result->out_hash);
    f.codec = codec_free(f.codec);
    return r;
}
