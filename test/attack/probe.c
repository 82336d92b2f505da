/* What hostile code in a container would try, one thing a call; static, so that it can be bound into any image. Prints what came of
 * it: "ok" (with a number where that tells something), or the name of the errno. Always ends with 0, unless the attempt itself
 * could not be made: the tests read the words.
 *
 *   call NAME [ARGUMENT…]    the system call with these numbers (0x…, or -1)
 *   int80 NUMBER [ARGUMENT]  through the 32-bit entry
 *   x32 NUMBER               with the x32 bit
 *   fds                      every open descriptor but 0, 1, 2: number and what it stands for
 *   write PATH [TEXT]        opens for writing; with TEXT, writes it
 *   read PATH                opens and reads
 *   mknod PATH b|c MAJOR MINOR
 *   steal                    types into the terminal on descriptor 0 (TIOCSTI, TIOCLINUX; with noise in the upper words)
 *   userns                   a user namespace by unshare, clone, clone3
 *   handle PATH              opens the host's root by a guessed file handle (the attack "shocker")
 *   abstract NAME            connects to an abstract Unix socket
 *   exe SECONDS              opens /proc/PID/exe of every process it sees for writing, again and again
 *   ids                      the six user and group ids, and the supplementary groups
 *   snoop SECONDS MODE       takes what processes that appear hold: descriptors, root; trace: their rights, too; engine: what the
 *                            engine's own processes hold, which it sees with the host's pid namespace. SIGTERM ends it
 *   swap A B SECONDS         exchanges the two names as fast as it can
 *   plant DIR TARGET         puts links to the target in the place of FIFOs that appear in the directory, until `enough` is there
 *   dig NAME DEPTH           makes directories in directories */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOISE    0xdeadbeef00000000UL

static const char *word(long result) {
    return result < 0 ? strerrorname_np(errno) : "ok";
}

static int tell(const char *what, long result) {
    printf("%s: %s\n", what, word(result));
    return 0;
}

static const struct {
    const char *name;
    long number;
} calls[] = {
    {"add_key", SYS_add_key},
    {"bpf", SYS_bpf},
    {"clone3", SYS_clone3},
    {"fsopen", SYS_fsopen},
    {"getpid", SYS_getpid},
    {"io_uring_setup", 425},
    {"ioctl", SYS_ioctl},
    {"kexec_load", SYS_kexec_load},
    {"keyctl", SYS_keyctl},
    {"mount", SYS_mount},
    {"open_tree", SYS_open_tree},
    {"perf_event_open", SYS_perf_event_open},
    {"personality", SYS_personality},
    {"pivot_root", SYS_pivot_root},
    {"reboot", SYS_reboot},
    {"setns", SYS_setns},
    {"socket", SYS_socket},
    {"socketpair", SYS_socketpair},
    {"swapon", SYS_swapon},
    {"syslog", SYS_syslog},
    {"umount2", SYS_umount2},
    {"unshare", SYS_unshare},
    {"userfaultfd", SYS_userfaultfd},
    {"vmsplice", SYS_vmsplice},
};

static int do_call(int argc, char **argv) {
    unsigned long a[6] = {0};
    char *end;
    long number = strtol(argv[0], &end, 0);

    for (int i = 1; i < argc && i <= 6; i++)
        a[i - 1] = strtoul(argv[i], NULL, 0);
    for (size_t i = 0; *end && i < COUNT(calls); i++)
        if (strcmp(calls[i].name, argv[0]) == 0) {
            number = calls[i].number;
            end += strlen(end);
        }
    if (*end) {
        fprintf(stderr, "unknown call %s\n", argv[0]);
        return 2;
    }
    return tell(argv[0], syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

static int do_int80(int argc, char **argv) {
#ifdef __x86_64__
    long number = strtol(argv[0], NULL, 0), argument = argc > 1 ? strtol(argv[1], NULL, 0) : 0, result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(argument) : "memory", "r8", "r9", "r10", "r11");
    if (result < 0) {
        errno = (int)-result;
        result = -1;
    }
    return tell("int80", result);
#else
    (void)argc;
    (void)argv;
    return tell("int80", (errno = ENOSYS, -1));
#endif
}

static int do_x32(int argc, char **argv) {
    (void)argc;
    return tell("x32", syscall(0x40000000 | strtol(argv[0], NULL, 0), 0, 0, 0));
}

static int do_fds(int argc, char **argv) {
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *d;

    (void)argc;
    (void)argv;
    while (dir && (d = readdir(dir))) {
        char path[300], target[4096];
        ssize_t n;
        int fd = atoi(d->d_name);

        if (d->d_name[0] == '.' || fd < 3 || fd == dirfd(dir))
            continue;
        snprintf(path, sizeof(path), "/proc/self/fd/%s", d->d_name);
        n = readlink(path, target, sizeof(target) - 1);
        target[n < 0 ? 0 : n] = '\0';
        printf("%d %s\n", fd, target);
    }
    return dir ? 0 : 2;
}

static int do_write(int argc, char **argv) {
    int fd = open(argv[0], O_WRONLY | O_CLOEXEC);

    if (fd < 0 || argc < 2)
        return tell(argv[0], fd);
    return tell(argv[0], write(fd, argv[1], strlen(argv[1])));
}

static int do_read(int argc, char **argv) {
    int fd = open(argv[0], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    char text[4096];
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

    (void)argc;
    if (n == 0)
        return printf("%s: empty\n", argv[0]) < 0;
    return tell(argv[0], n);
}

static int do_mknod(int argc, char **argv) {
    mode_t type = argv[1][0] == 'b' ? S_IFBLK : S_IFCHR;
    int r;

    if (argc < 4)
        return 2;
    r = mknod(argv[0], type | 0600, makedev((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3])));
    tell("mknod", r);
    if (r == 0) {
        tell("open", open(argv[0], O_RDONLY | O_CLOEXEC));
        unlink(argv[0]);
    }
    return 0;
}

static int do_steal(int argc, char **argv) {
    char c = 'x', paste[2] = {3, 0};

    (void)argc;
    (void)argv;
    tell("TIOCSTI", syscall(SYS_ioctl, 0, TIOCSTI, &c));
    tell("TIOCSTI with noise", syscall(SYS_ioctl, 0, NOISE | TIOCSTI, &c));
    tell("TIOCLINUX", syscall(SYS_ioctl, 0, TIOCLINUX, paste));
    tell("TIOCLINUX with noise", syscall(SYS_ioctl, 0, NOISE | TIOCLINUX, paste));
    return 0;
}

static void reap(const char *what, long pid) {
    tell(what, pid);
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        waitpid((pid_t)pid, NULL, 0);
}

static int do_userns(int argc, char **argv) {
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};

    (void)argc;
    (void)argv;
    fflush(stdout);
    reap("clone", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
    reap("clone with noise", syscall(SYS_clone, NOISE | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
    reap("clone3", syscall(SYS_clone3, &args, sizeof(args)));
    return tell("unshare", unshare(CLONE_NEWUSER));
}

static int do_handle(int argc, char **argv) {
    struct {
        struct file_handle head;
        unsigned char bytes[8];
    } handle = {.head = {.handle_bytes = 8, .handle_type = 1}, .bytes = {2}}; /* inode 2: the root of an ext4 */
    int fd = open(argc ? argv[0] : "/", O_RDONLY | O_CLOEXEC);

    return tell("open_by_handle_at", syscall(SYS_open_by_handle_at, fd, &handle, O_RDONLY));
}

static int do_abstract(int argc, char **argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(argv[0]);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)argc;
    memcpy(address.sun_path + 1, argv[0], n < 100 ? n : 100);
    return tell("connect",
                connect(fd, (const struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)));
}

static int do_exe(int argc, char **argv) {
    time_t end = time(NULL) + atoi(argv[0]);
    unsigned long opened = 0, tried = 0;

    (void)argc;
    while (time(NULL) < end) {
        DIR *dir = opendir("/proc");
        struct dirent *d;

        while (dir && (d = readdir(dir))) {
            char path[300];
            int fd;

            if (d->d_name[0] < '1' || d->d_name[0] > '9' || atoi(d->d_name) == getpid())
                continue;
            snprintf(path, sizeof(path), "/proc/%s/exe", d->d_name);
            fd = open(path, O_RDONLY | O_CLOEXEC);
            if (fd >= 0) { /* held over the end of the process: then it is not ETXTBSY any more */
                char again[64];
                int writable;

                snprintf(again, sizeof(again), "/proc/self/fd/%d", fd);
                for (int i = 0; i < 50; i++) {
                    tried++;
                    writable = open(again, O_WRONLY | O_CLOEXEC);
                    if (writable >= 0) {
                        ssize_t n = readlink(again, path, sizeof(path) - 1);

                        path[n < 0 ? 0 : n] = '\0';
                        printf("opened %s\n", path);
                        opened++;
                        close(writable);
                        break;
                    }
                    usleep(200);
                }
                close(fd);
            }
        }
        if (dir)
            closedir(dir);
    }
    printf("tried %s, opened %lu\n", tried ? "some" : "none", opened);
    return 0;
}

/* What one process lets others have of it: only descriptors beyond the three, and what is not the container's own, is told. */
static void snoop_process(int pid) {
    char path[64], target[4096];
    long pidfd = syscall(SYS_pidfd_open, pid, 0);
    struct stat own, theirs;

    snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
    if (stat("/", &own) == 0 && stat(path, &theirs) == 0 && theirs.st_dev != own.st_dev)
        printf("cwd of another file system\n");
    snprintf(path, sizeof(path), "/proc/%d/root", pid);
    if (stat(path, &theirs) == 0 && (theirs.st_dev != own.st_dev || theirs.st_ino != own.st_ino))
        printf("root of another file system\n");
    for (int fd = 3; fd < 40; fd++) {
        long got = pidfd < 0 ? -1 : syscall(SYS_pidfd_getfd, pidfd, fd, 0);
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
        n = readlink(path, target, sizeof(target) - 1);
        if (n > 0) {
            target[n] = '\0';
            printf("descriptor %s\n", target);
        }
        if (got >= 0) {
            printf("took descriptor %d\n", fd);
            close((int)got);
        }
    }
    if (pidfd >= 0)
        close((int)pidfd);
}

static unsigned long long effective(int pid) {
    char path[64], line[256];
    unsigned long long caps = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "CapEff: %llx", &caps) == 1)
            break;
    if (f)
        fclose(f);
    return caps;
}

static int snoop_engine(void) {
    DIR *dir = opendir("/proc");
    struct dirent *d;
    int seen = 0;

    while (dir && (d = readdir(dir))) {
        char path[300], name[32] = "";
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%s/comm", d->d_name);
        f = d->d_name[0] >= '1' && d->d_name[0] <= '9' ? fopen(path, "re") : NULL;
        if (!f)
            continue;
        if (fgets(name, sizeof(name), f) && strncmp(name, "tare", 4) == 0) {
            snoop_process(atoi(d->d_name));
            seen++;
        }
        fclose(f);
    }
    if (dir)
        closedir(dir);
    return seen;
}

static volatile sig_atomic_t enough;

static void on_term(int signo) {
    enough = signo;
}

static int do_snoop(int argc, char **argv) {
    time_t end = time(NULL) + atoi(argv[0]);
    unsigned long long own = effective(getpid());
    int newest = getpid(), seen = 0;
    char mode = argv[1][0];

    (void)signal(SIGTERM, on_term);
    printf("ready\n");
    while (!enough && time(NULL) < end) { /* guessing the next numbers is faster than reading the directory */
        if (mode == 'e')
            seen += snoop_engine();
        for (int pid = newest + 1; pid < newest + 8; pid++) {
            if (kill(pid, 0) < 0)
                continue;
            seen++;
            if (mode == 't' && ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0) {
                unsigned long long theirs = effective(pid);

                if (theirs & ~own)
                    printf("traced one with rights %llx\n", theirs);
                ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
                waitpid(pid, NULL, __WALL);
                snoop_process(pid);
                ptrace(PTRACE_DETACH, pid, NULL, NULL);
            } else {
                for (int i = 0; i < 20; i++)
                    snoop_process(pid);
            }
            newest = pid;
            break;
        }
    }
    printf("seen %d\n", seen);
    return 0;
}

static int do_swap(int argc, char **argv) {
    time_t end = time(NULL) + atoi(argv[2]);
    unsigned long n = 0;

    (void)argc;
    printf("ready\n");
    while (n++ % 512 || time(NULL) < end)
        if (renameat2(AT_FDCWD, argv[0], AT_FDCWD, argv[1], RENAME_EXCHANGE) < 0 && errno != ENOENT)
            return tell("swap", -1);
    return 0;
}

static int do_plant(int argc, char **argv) {
    int planted = 0;

    (void)argc;
    printf("ready\n");
    if (chdir(argv[0]) < 0)
        return 2;
    while (access("enough", F_OK) < 0) {
        DIR *dir = opendir(".");
        struct dirent *d;

        while (dir && (d = readdir(dir))) {
            if (d->d_type == DT_FIFO && unlink(d->d_name) == 0 && symlink(argv[1], d->d_name) == 0)
                planted++;
        }
        if (dir)
            closedir(dir);
    }
    return printf("planted %d\n", planted) < 0;
}

static int do_dig(int argc, char **argv) {
    int r = 0, n = atoi(argv[1]);

    (void)argc;
    while (r == 0 && n-- > 0)
        r = mkdir(argv[0], 0700) < 0 ? -1 : chdir(argv[0]);
    return tell("dig", r);
}

static int do_ids(int argc, char **argv) {
    uid_t u[3];
    gid_t g[3], groups[64];
    int n = getgroups(64, groups);

    (void)argc;
    (void)argv;
    getresuid(&u[0], &u[1], &u[2]);
    getresgid(&g[0], &g[1], &g[2]);
    printf("uid %u %u %u gid %u %u %u groups", u[0], u[1], u[2], g[0], g[1], g[2]);
    for (int i = 0; i < n; i++)
        printf(" %u", groups[i]);
    printf("\n");
    return 0;
}

static const struct {
    const char *name;
    int least; /* arguments */
    int (*fn)(int argc, char **argv);
} attempts[] = {
    {"call", 1, do_call},     {"int80", 1, do_int80},   {"x32", 1, do_x32},           {"fds", 0, do_fds},
    {"write", 1, do_write},   {"read", 1, do_read},     {"mknod", 4, do_mknod},       {"steal", 0, do_steal},
    {"userns", 0, do_userns}, {"handle", 0, do_handle}, {"abstract", 1, do_abstract}, {"exe", 1, do_exe},
    {"ids", 0, do_ids},       {"snoop", 2, do_snoop},   {"swap", 3, do_swap},         {"plant", 2, do_plant},
    {"dig", 2, do_dig},
};

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; argc > 1 && i < COUNT(attempts); i++)
        if (strcmp(attempts[i].name, argv[1]) == 0 && argc - 2 >= attempts[i].least)
            return attempts[i].fn(argc - 2, argv + 2);
    fprintf(stderr, "usage: probe ATTEMPT [ARGUMENT…]\n");
    return 2;
}
