/* The cache of compiled filters, and loading one. */
#include "kernel/seccomp_filter.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/fs.h"
#include "base/sha256.h"
#include "kernel/capability.h"
#include "kernel/seccomp_calls.h"
#include "kernel/sys.h"
#include "model/seccomp_profile.h"

/* Raised with every change of the compiler or of the built-in profile that changes programs. */
#define GENERATION  1
#define FILE_MAGIC  0x7061635365726174ULL
#define CACHE_DIR   "cache"
#define PROGRAM_MAX 4096 /* instructions */

/* What a program depends on. No padding: compared and hashed as bytes. */
struct key {
    uint64_t generation;
    uint64_t caps;
    uint32_t kernel_major, kernel_minor;
    uint32_t compat;
    uint32_t custom; /* another profile than the built-in one */
    char version[16];
    unsigned char profile[SHA256_SIZE]; /* hash of a custom one's text */
};

struct file_head {
    uint64_t magic;
    struct key key;
    uint64_t checksum; /* of the instructions */
    uint32_t flags, notify, n, reserved;
};

/* FNV-1a: against decay and half-written files, not against enemies, who cannot write into the run directory. */
static uint64_t checksum_of(const void *p, size_t n) {
    const unsigned char *bytes = (const unsigned char *)p;
    uint64_t h = 0xcbf29ce484222325ULL;

    for (size_t i = 0; i < n; i++)
        h = (h ^ bytes[i]) * 0x100000001b3ULL;
    return h;
}

static void make_key(const struct seccomp_request *request, struct key *ret) {
    struct key key = {
        .generation = GENERATION, .caps = request->caps, .compat = request->compat, .custom = request->profile != NULL};
    struct sha256 hash;
    struct utsname host;

    if (uname(&host) == 0)
        (void)sscanf(host.release, "%u.%u", &key.kernel_major, &key.kernel_minor);
    (void)snprintf(key.version, sizeof(key.version), "%s", TARE_VERSION);
    if (request->profile) {
        sha256_init(&hash);
        sha256_add(&hash, request->profile, request->profile_size);
        sha256_final(&hash, key.profile);
    }
    *ret = key;
}

#define NAME_SIZE 48

static void cache_name(const struct key *key, char name[NAME_SIZE]) {
    (void)snprintf(name, NAME_SIZE, CACHE_DIR "/seccomp-%016llx", (unsigned long long)checksum_of(key, sizeof(*key)));
}

/* -ENOENT: not there, or not to be trusted. */
static int cache_read(int run_fd, const struct key *key, struct arena *a, struct seccomp_program *ret) {
    struct file_head head;
    struct sock_filter *code;
    char name[NAME_SIZE];
    _cleanup_fd_ int fd = -1;
    ssize_t size;

    cache_name(key, name);
    fd = openat(run_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (read(fd, &head, sizeof(head)) != (ssize_t)sizeof(head) || head.magic != FILE_MAGIC || head.n == 0 || head.n > PROGRAM_MAX ||
        memcmp(&head.key, key, sizeof(*key)) != 0)
        return -ENOENT;
    size = (ssize_t)(head.n * sizeof(*code));
    code = arena_array(a, struct sock_filter, head.n);
    if (read(fd, code, (size_t)size) != size || checksum_of(code, (size_t)size) != head.checksum)
        return -ENOENT;
    *ret = (struct seccomp_program){.code = code, .n = head.n, .flags = head.flags, .notify = head.notify != 0};
    return 0;
}

/* A cache that cannot be written only costs time. */
static void cache_write(int run_fd, const struct key *key, const struct seccomp_program *p) {
    size_t size = p->n * sizeof(*p->code);
    struct file_head head = {.magic = FILE_MAGIC, .key = *key, .flags = p->flags, .notify = p->notify, .n = (uint32_t)p->n};
    _cleanup_buf_ struct buf file = BUF_INIT;
    _cleanup_fd_ int dirfd = -1;
    char name[NAME_SIZE];

    head.checksum = checksum_of(p->code, size);
    buf_add(&file, &head, sizeof(head));
    buf_add(&file, p->code, size);
    (void)mkdirat(run_fd, CACHE_DIR, 0700);
    dirfd = fs_open_beneath(run_fd, CACHE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    cache_name(key, name);
    if (dirfd >= 0 && !file.failed)
        (void)fs_replace_at(dirfd, strchr(name, '/') + 1, file.data, file.size, 0600, FS_NO_SYNC, NULL);
}

static int compile_request(const struct seccomp_request *request, const struct key *key, struct arena *a,
                           struct seccomp_program *ret, struct error *e) {
    const struct seccomp_machine *machine = seccomp_machine_native();
    struct seccomp_host host = {.kernel_major = key->kernel_major, .kernel_minor = key->kernel_minor, .compat = request->compat};
    const char *text = request->profile;
    size_t size = request->profile_size;
    struct seccomp_profile profile;
    struct oci_seccomp spec;
    int r;

    if (!machine)
        return error_set(e, -ENOTSUP, "seccomp: this machine's system calls are not known");
    host.arch = machine->go;
    host.scmp_arch = machine->scmp;
    capability_list(request->caps, a, &host.caps);
    if (!text)
        text = seccomp_profile_default(&size);
    r = seccomp_profile_decode(text, size, a, &profile, e);
    if (r == 0)
        r = seccomp_profile_resolve(&profile, &host, a, &spec, e);
    if (r == 0)
        r = seccomp_compile(&spec, a, ret, e);
    return r;
}

int seccomp_for_container(int run_fd, const struct seccomp_request *request, struct arena *a, struct seccomp_program *ret,
                          struct error *e) {
    struct key key;
    int r;

    make_key(request, &key);
    if (run_fd >= 0 && cache_read(run_fd, &key, a, ret) == 0)
        return 0;
    r = compile_request(request, &key, a, ret, e);
    if (r < 0)
        return r;
    if (run_fd >= 0)
        cache_write(run_fd, &key, ret);
    return 0;
}

int seccomp_program_load(const struct seccomp_program *program, struct error *e) {
    struct sock_fprog prog = {.len = (unsigned short)program->n, .filter = (struct sock_filter *)(uintptr_t)program->code};
    int r = sys_seccomp(SECCOMP_SET_MODE_FILTER, program->flags, &prog);

    return r < 0 ? error_errno(e, r, "load the seccomp filter (%zu instructions)", program->n) : r;
}
