/* The role that makes a gzip file of a log that was turned over: descriptor 3 in, 4 out. */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "base/fs.h"
#include "image/worker/worker.h"
#include "kernel/confine.h"

#ifdef HAVE_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

#define FD_IN           3
#define FD_OUT          4
#define BLOCK_SIZE      ((size_t)128 << 10)
#define MEMORY_MAX      ((rlim_t)256 << 20)
#define CPU_SECONDS_MAX 3600

static unsigned char in[BLOCK_SIZE], out[BLOCK_SIZE];

static ssize_t read_block(void) {
    ssize_t n;

    do
        n = read(FD_IN, in, sizeof(in));
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

#ifdef HAVE_ISAL
static int compress_all(void) {
    static struct isal_zstream z;
    static unsigned char room[ISAL_DEF_LVL1_DEFAULT];

    isal_deflate_init(&z);
    z.level = 1;
    z.level_buf = room;
    z.level_buf_size = sizeof(room);
    z.gzip_flag = IGZIP_GZIP;
    do {
        ssize_t n = read_block();
        int r = 0;

        if (n < 0)
            return (int)n;
        z.next_in = in;
        z.avail_in = (uint32_t)n;
        z.end_of_stream = n == 0;
        do {
            z.next_out = out;
            z.avail_out = sizeof(out);
            if (isal_deflate(&z) != COMP_OK)
                return -EIO;
            r = fs_write_all(FD_OUT, out, sizeof(out) - z.avail_out);
        } while (r == 0 && z.avail_out == 0);
        if (r < 0)
            return r;
    } while (z.internal_state.state != ZSTATE_END);
    return 0;
}
#else
static int compress_all(void) {
    z_stream z = {0};
    int code = deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), r = 0;

    if (code != Z_OK)
        return -ENOMEM;
    while (r == 0 && code != Z_STREAM_END) {
        ssize_t n = read_block();

        if (n < 0)
            return (int)n;
        z.next_in = in;
        z.avail_in = (uInt)n;
        do {
            z.next_out = out;
            z.avail_out = sizeof(out);
            code = deflate(&z, n ? Z_NO_FLUSH : Z_FINISH);
            r = fs_write_all(FD_OUT, out, sizeof(out) - z.avail_out);
        } while (r == 0 && z.avail_out == 0);
    }
    (void)deflateEnd(&z);
    return r;
}
#endif

static int enter_cage(struct error *e) {
    static const struct cage_call calls[] = {
        CAGE_CALL(read), CAGE_CALL(write), CAGE_CALL(close), CAGE_CALL(mmap), CAGE_CALL(munmap), CAGE_CALL(brk), CAGE_CALL(madvise),
    };
    static const int fds[] = {FD_IN, FD_OUT};
    static const struct cage_limit limits[] = {
        {RLIMIT_AS, MEMORY_MAX}, {RLIMIT_NOFILE, 16}, {RLIMIT_CPU, CPU_SECONDS_MAX}, {RLIMIT_NPROC, 0}};
    struct cage cage = CAGE_INIT_WORKER;

    cage.fds = fds;
    cage.fd_count = ARRAY_SIZE(fds);
    cage.limits = limits;
    cage.limit_count = ARRAY_SIZE(limits);
    cage.calls = calls;
    cage.call_count = ARRAY_SIZE(calls);
    return confine(&cage, NULL, e);
}

int compress_main(void) {
    _cleanup_error_ struct error e = ERROR_INIT;

    return enter_cage(&e) < 0 || compress_all() < 0;
}
