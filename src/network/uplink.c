#include "network/uplink.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "kernel/link.h"
#include "network/rootless.h"

#define NETNS_FD   7 /* in the program */
#define READY_FD   8
#define ALIVE_FD   9
#define ARGS_MAX   512
#define SAID_MAX   ((size_t)16 << 10)
#define NETNS_PATH "/proc/self/fd/7"
#define READY_TEXT "8"
#define ALIVE_TEXT "9"
#define TUN        "/dev/net/tun"
#define ADDED_FDS  10

static const char *find(const char *name, char path[64]) {
    static const char *const directories[] = {"/usr/bin", "/usr/local/bin", "/bin"};

    for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
        struct stat st;

        (void)snprintf(path, 64, "%s/%s", directories[i], name);
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0)
            return path;
    }
    return NULL;
}

struct program {
    char path[64];
    char *argv[ARGS_MAX];
    size_t n;
    int fds[3]; /* become NETNS_FD, READY_FD, ALIVE_FD; -1 = none */
};

static void add(struct program *p, const char *word) {
    if (p->n < ARGS_MAX - 1)
        p->argv[p->n++] = (char *)(uintptr_t)word;
    p->argv[p->n] = NULL;
}

static void add_all(struct program *p, const char *const *words) {
    while (*words)
        add(p, *words++);
}

static void become(const struct program *p, int said) {
    char *const envp[] = {(char[]){"PATH=/usr/bin:/bin"}, NULL};
    int high[3];
    sigset_t none;

    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    said = fcntl(said, F_DUPFD_CLOEXEC, ADDED_FDS + 1);
    for (size_t i = 0; i < ARRAY_SIZE(high); i++)
        high[i] = p->fds[i] < 0 ? -1 : fcntl(p->fds[i], F_DUPFD_CLOEXEC, ADDED_FDS + 1);
    (void)dup2(said, STDERR_FILENO);
    (void)syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
    for (size_t i = 0; i < ARRAY_SIZE(high); i++)
        if (high[i] >= 0)
            (void)dup2(high[i], NETNS_FD + (int)i);
    (void)execve(p->path, p->argv, envp);
    _exit(127);
}

/* What it complained of last; complaints about the system log, which it has lost, are none. */
static void last_words(struct buf *said, char text[256]) {
    char *rest = NULL;

    (void)snprintf(text, 256, "it ended without a word");
    if (said->size == 0)
        return;
    buf_add(said, "", 1);
    for (char *line = strtok_r(said->data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (!strstr(line, "syslog") && *line)
            (void)snprintf(text, 256, "%.255s", line);
}

static int failed(const char *name, struct buf *said, struct error *e) {
    char text[256];

    last_words(said, text);
    error_set(e, -ENETUNREACH, "%s: %s", name, text);
    if (access(TUN, R_OK | W_OK) < 0)
        return error_hint(e, "this user may not open /dev/net/tun: chmod 666 /dev/net/tun, modprobe tun");
    return error_hint(e, "--network none and --network host work without it");
}

/* pasta goes into the background by itself when it is ready; then it lets go of its standard error. */
static int run_pasta(struct program *p, struct error *e) {
    _cleanup_buf_ struct buf said = BUF_INIT;
    _cleanup_fd_ int ours = -1;
    int pair[2], status = 0;
    pid_t pid;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(e, -errno, "make a pipe");
    ours = pair[0];
    pid = fork();
    if (pid == 0)
        become(p, pair[1]);
    (void)fd_close(pair[1]);
    if (pid < 0)
        return error_errno(e, -errno, "start pasta");
    (void)fcntl(ours, F_SETFL, O_NONBLOCK);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    (void)fs_read_fd(ours, SAID_MAX, &said, NULL);
    return failed("pasta", &said, e);
}

/* slirp4netns stays in front, and says that it is ready by a byte. It ends with us, too, by the pipe ALIVE_FD. */
static int run_slirp(struct program *p, struct error *e) {
    static int alive = -1;
    _cleanup_buf_ struct buf said = BUF_INIT;
    _cleanup_fd_ int ready = -1, words = -1;
    int r[2], s[2], a[2];
    char byte;
    pid_t pid;

    if (pipe2(r, O_CLOEXEC) < 0 || pipe2(s, O_CLOEXEC) < 0 || pipe2(a, O_CLOEXEC) < 0)
        return error_errno(e, -errno, "make a pipe");
    ready = r[0];
    words = s[0];
    (void)fd_close(alive);
    alive = a[1];
    p->fds[1] = r[1];
    p->fds[2] = a[0];
    pid = fork();
    if (pid == 0)
        become(p, s[1]);
    (void)fd_close(r[1]);
    (void)fd_close(s[1]);
    (void)fd_close(a[0]);
    if (pid < 0)
        return error_errno(e, -errno, "start slirp4netns");
    if (read(ready, &byte, 1) == 1)
        return 0;
    (void)fs_read_fd(words, SAID_MAX, &said, NULL);
    return failed("slirp4netns", &said, e);
}

int uplink_start(int netns_fd, char *const ports[], struct error *e) {
    static const char *const pasta[] = {"pasta",       "--config-net", "--netns", NETNS_PATH, "--netns-only", "--no-netns-quit",
                                        "--no-map-gw", "-q",           "-I",      UPLINK,     "-T",           "none",
                                        "-U",          "none",         NULL};
    static const char *const no_ports[] = {"-t", "none", "-u", "none", NULL};
    static const char *const slirp[] = {"slirp4netns",
                                        "--configure",
                                        "--mtu=65520",
                                        "--disable-host-loopback",
                                        "--enable-ipv6",
                                        "--netns-type=path",
                                        "-r",
                                        READY_TEXT,
                                        "-e",
                                        ALIVE_TEXT,
                                        NETNS_PATH,
                                        UPLINK,
                                        NULL};
    struct program p = {.fds = {netns_fd, -1, -1}};

    if (find("pasta", p.path)) {
        add_all(&p, pasta);
        add_all(&p, ports ? (const char *const *)ports : no_ports);
        return run_pasta(&p, e);
    }
    if (!ports && find("slirp4netns", p.path)) {
        add_all(&p, slirp);
        return run_slirp(&p, e);
    }
    error_set(e, -ENOENT, "%s not installed here", ports ? "pasta is" : "neither pasta nor slirp4netns is");
    return error_hint(e, "install pasta: apt install passt; --network none and --network host work without it");
}

int uplink_check(struct error *e) {
    char path[64];

    if (!find("pasta", path) && !find("slirp4netns", path))
        return error_set(e, -ENOENT, "neither pasta nor slirp4netns is installed here (apt install passt)");
    if (access(TUN, R_OK | W_OK) < 0)
        return error_errno(e, -errno, "open " TUN " (chmod 666 " TUN ")");
    return 0;
}

bool uplink_is_up(void) {
    return link_index(UPLINK) != 0;
}
