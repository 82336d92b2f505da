#include "base/self.h"

#include <fcntl.h>
#include <link.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define ABOVE_FDS 32 /* while descriptors are put in order */

void self_seal(void) {
#ifndef __GLIBC__
    extern const ElfW(Ehdr) __ehdr_start
        __attribute__((visibility("hidden"))); /* by the linker: the start of the program in memory */
    const char *base = (const char *)&__ehdr_start;
    const ElfW(Phdr) *part = (const ElfW(Phdr) *)(const void *)(base + __ehdr_start.e_phoff);

    for (size_t i = 0; i < __ehdr_start.e_phnum; i++)
        if (part[i].p_type == PT_GNU_RELRO) {
            size_t page = getauxval(AT_PAGESZ), begin = part[i].p_vaddr & ~(page - 1),
                   end = (part[i].p_vaddr + part[i].p_memsz) & ~(page - 1);

            (void)mprotect((void *)(uintptr_t)(base + begin), end - begin, PROT_READ);
        }
#endif
}

void self_reset_signals(void) {
    static const struct {
        void *handler;
        unsigned long flags;
        void *restorer;
        uint64_t mask;
    } standard; /* the kernel's own form: zero is SIG_DFL */

    for (int signo = 1; signo <= 64; signo++)
        (void)syscall(SYS_rt_sigaction, signo, &standard, NULL, sizeof(standard.mask));
}

/* Where the programs are, seen from the running one's folder: in a build tree, and when installed (so an installation can be
 * moved). */
static const char *const places[] = {".", TARE_LIBEXECDIR};

static void program_path(const char *place, const char *name, char path[SELF_PATH_MAX]) {
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    const char *slash;

    self[n > 0 ? n : 0] = '\0';
    slash = *place == '/' ? NULL : strrchr(self, '/');
    (void)snprintf(path, SELF_PATH_MAX, "%.*s%s%s/%s", slash ? (int)(slash - self) : 0, self, slash ? "/" : "", place, name);
}

void self_program_path(const char *name, char path[SELF_PATH_MAX]) {
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        program_path(places[i], name, path);
        if (faccessat(AT_FDCWD, path, X_OK, 0) == 0)
            return;
    }
    path[0] = '\0';
}

static struct {
    const char *name;
    int fd;
} kept;

int self_keep_program(const char *name, struct error *e) {
    int fd = self_open_program(name, e);

    if (fd < 0)
        return fd;
    kept.name = name;
    kept.fd = fd;
    return 0;
}

int self_open_program(const char *name, struct error *e) {
    char path[SELF_PATH_MAX];
    int fd = kept.name && strcmp(kept.name, name) == 0 ? fcntl(kept.fd, F_DUPFD_CLOEXEC, 0) : -1;

    for (size_t i = 0; i < ARRAY_SIZE(places) && fd < 0; i++) {
        program_path(places[i], name, path);
        fd = open(path, O_PATH | O_CLOEXEC);
    }
    if (fd >= 0)
        return fd;
    error_errno(e, -errno, "find the program %s beside tare or in %s from there", name, TARE_LIBEXECDIR);
    return error_hint(e, "the installation is incomplete: make install");
}

/* Shares the caller's memory until it has exec'ed: touches nothing but its own descriptors. */
static void become(int program, char *const argv[], const int *fds, size_t n, int netns_fd) {
    char *const envp[] = {NULL};
    struct sigaction standard = {.sa_handler = SIG_DFL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), high[SELF_FDS_MAX];
    sigset_t none;

    (void)sigaction(SIGPIPE, &standard, NULL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setsid();
    if (netns_fd >= 0 && setns(netns_fd, CLONE_NEWNET) < 0)
        _exit(127);
    program = fcntl(program, F_DUPFD_CLOEXEC, ABOVE_FDS);
    null = fcntl(null, F_DUPFD_CLOEXEC, ABOVE_FDS);
    if (program < 0 || null < 0 || chdir("/") < 0)
        _exit(127);
    for (size_t i = 0; i < n; i++) {
        high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, ABOVE_FDS);
        if (high[i] < 0)
            _exit(127);
    }
    for (int fd = 0; fd < SELF_FIRST_FD; fd++)
        (void)dup2(null, fd);
    for (size_t i = 0; i < n; i++)
        (void)dup2(high[i], SELF_FIRST_FD + (int)i);
    (void)syscall(SYS_close_range, SELF_FIRST_FD + n, ~0U, CLOSE_RANGE_CLOEXEC);
    (void)syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
    _exit(127);
}

static __attribute__((noinline)) pid_t start(int program, char *const argv[], const int *fds, size_t n, int netns_fd) {
    /* posix_spawn() can neither enter a network namespace nor execute a descriptor; fork() copies the page tables of a command. */
    pid_t pid = vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork)

    if (pid == 0)                                /* makes system calls only, and does not return */
        become(program, argv, fds, n, netns_fd); // NOLINT(clang-analyzer-unix.Vfork)
    return pid;
}

pid_t self_start(int program_fd, char *const argv[], const int *fds, size_t n, int netns_fd, struct error *e) {
    pid_t pid;

    if (n > SELF_FDS_MAX)
        return error_set(e, -E2BIG, "too many descriptors for %s", argv[0]);
    pid = start(program_fd, argv, fds, n, netns_fd);
    return pid < 0 ? error_errno(e, -errno, "start %s", argv[0]) : pid;
}
