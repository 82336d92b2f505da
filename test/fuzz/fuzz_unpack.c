/* The workers' own code upon hostile bytes, outside of its cage: an archive is inflated, and unpacked into a directory of the
 * target's own. The first byte chooses flags. Nothing appears beside that directory. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "fuzz.h"
#include "image/worker/worker.h"

static char base[] = "/dev/shm/tare-fuzz-XXXXXX";
static char layer[sizeof(base) + 8];

static void clean(void) {
    (void)fs_remove_tree_at(AT_FDCWD, base, NULL);
}

static int count(int dirfd, const char *name, void *arg, struct error *e) {
    (void)dirfd, (void)name, (void)e;
    ++*(int *)arg;
    return 0;
}

static void set_up(void) {
    static bool done;

    if (done)
        return;
    FUZZ_MUST(mkdtemp(base) && atexit(clean) == 0);
    (void)snprintf(layer, sizeof(layer), "%s/layer", base);
    for (int fd = 3; fd < 10; fd++) /* the numbers that workers use are nobody's */
        if (fcntl(fd, F_GETFD) < 0)
            FUZZ_MUST(open("/dev/null", O_RDWR | O_CLOEXEC) >= 0);
    done = true;
}

static void unpack(const struct worker_request *q) {
    struct worker_message result = {0};
    int entries = 0, dir;

    FUZZ_MUST(mkdir(layer, 0755) == 0);
    dir = open(layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_MUST(dir >= 0 && dup2(dir, WORKER_FD_TARGET) >= 0);
    (void)close(dir);
    (void)unpack_run(q, &result, NULL);
    FUZZ_MUST(fs_each(AT_FDCWD, base, count, &entries, NULL) == 0 && entries == 1);
    FUZZ_MUST(fs_remove_tree_at(AT_FDCWD, layer, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct worker_request q = {.size = UINT64_MAX, .unpacked_max = 1 << 20, .ratio_max = 400, .inodes_max = 1000};
    struct worker_message result = {0};
    int in;

    if (size < 1)
        return 0;
    set_up();
    in = memfd_create("in", MFD_CLOEXEC);
    FUZZ_MUST(in >= 0 && write(in, data + 1, size - 1) == (ssize_t)size - 1 && lseek(in, 0, SEEK_SET) == 0);
    FUZZ_MUST(dup2(in, STDIN_FILENO) == STDIN_FILENO);
    (void)close(in);
    if (data[0] % 4 == 3) {
        int out = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

        FUZZ_MUST(dup2(null, STDOUT_FILENO) >= 0);
        (void)inflate_run(&q, &result, NULL);
        FUZZ_MUST(dup2(out, STDOUT_FILENO) >= 0);
        (void)close(out), (void)close(null);
        return 0;
    }
    q.flags = data[0] % 4 == 0 ? WORKER_LAYER : data[0] % 4 == 1 ? WORKER_COPY | WORKER_OWNERS : 0U;
    unpack(&q);
    return 0;
}
