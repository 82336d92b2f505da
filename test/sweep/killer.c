/* Runs a command and sends SIGKILL to one of its processes as it enters a chosen system call.
 *
 *     killer -l COMMAND…             prints every point: PROCESS ORDINAL NUMBER PROGRAM, one system call a line
 *     killer -k PROCESS:ORDINAL COMMAND…
 *     killer -a PID …                in front of either: one that lives already (a monitor, a shim) takes part; its way is "m"
 *     killer -o FILE …               in front of all: the points go there; the streams are the command's, and its status ours
 *
 * PROCESS is the way down from the command, "0", by order of creation: "0.2.1" is the first child of its second. Only processes
 * whose program is called tare… or containerd-shim… count; what they execute otherwise (the container's own program) is let go.
 * Exit status of -k: 0 the kill happened, 3 it did not (the command took another way). Standard output of the command is thrown
 * away with -k.
 *
 * After the kill the other processes go on until the command has ended and all are at rest (or 3 s are over, or none is left); then
 * they are let go. Without a kill, and for -l, the rest has to be longer: a monitor does a part of its work a moment after the
 * start. */
#include <errno.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* <sys/ptrace.h> contradicts <linux/ptrace.h>. */
long ptrace(int request, ...);

#define TRACED_MAX 4096
#define OPTIONS    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC)

struct traced {
    pid_t pid;
    char way[64]; /* "" while its parent has not told of it */
    long calls;
    unsigned children;
    char program[16];
};

static struct traced traced[TRACED_MAX];
static size_t n_traced;
static const char *target_way;
static long target_ordinal;
static bool killed;
static int command_status;
static FILE *points;

static struct traced *find(pid_t pid) {
    for (size_t i = 0; i < n_traced; i++)
        if (traced[i].pid == pid)
            return &traced[i];
    if (n_traced == TRACED_MAX)
        exit(2);
    traced[n_traced].pid = pid;
    return &traced[n_traced++];
}

/* The first word of its command line. */
static void argument_read(struct traced *t) {
    char path[64];
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", t->pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = read(fd, t->program, sizeof(t->program) - 1);
    t->program[n > 0 ? n : 0] = '\0';
    close(fd);
}

static void program_read(struct traced *t) {
    char link[64], path[512], *slash;
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/%d/exe", t->pid);
    n = readlink(link, path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';
    slash = strrchr(path, '/');
    (void)snprintf(t->program, sizeof(t->program), "%.15s", slash ? slash + 1 : path);
    if (!t->program[0]) /* of a mount of that one file, which is attached nowhere: so are monitors and workers started */
        argument_read(t);
}

static void go_on(pid_t pid, int sig) {
    (void)ptrace(PTRACE_SYSCALL, pid, 0L, (long)sig);
}

/* A system call begins: count it, and kill where it was asked for. */
static void call_entered(struct traced *t) {
    struct ptrace_syscall_info info;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, (long)sizeof(info), &info) <= 0 || info.op != PTRACE_SYSCALL_INFO_ENTRY)
        return;
    t->calls++;
    if (!target_way) {
        fprintf(points, "%s %ld %llu %s\n", t->way, t->calls, (unsigned long long)info.entry.nr, t->program);
    } else if (!killed && t->calls == target_ordinal && strcmp(t->way, target_way) == 0) {
        killed = true;
        kill(t->pid, SIGKILL);
    }
}

/* Names are cut after 15 characters. */
static bool is_engine(const char *program) {
    return strncmp(program, "tare", 4) == 0 || strcmp(program, "containerd-shim") == 0;
}

static void child_made(struct traced *parent) {
    unsigned long pid = 0;
    struct traced *child;
    bool waits;

    (void)ptrace(PTRACE_GETEVENTMSG, parent->pid, 0L, &pid);
    child = find((pid_t)pid);
    waits = child->way[0] == '?'; /* it stopped before we were told of it */
    (void)snprintf(child->way, sizeof(child->way), "%.50s.%u", parent->way, ++parent->children);
    memcpy(child->program, parent->program, sizeof(child->program));
    if (waits)
        go_on(child->pid, 0);
}

static void stopped(struct traced *t, int status) {
    int event = status >> 16, sig = WSTOPSIG(status);

    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
        child_made(t);
        go_on(t->pid, 0);
    } else if (event == PTRACE_EVENT_EXEC) {
        program_read(t);
        if (!is_engine(t->program))
            (void)ptrace(PTRACE_DETACH, t->pid, 0L, 0L);
        else
            go_on(t->pid, 0);
    } else if (event == PTRACE_EVENT_STOP) {
        if (!t->way[0])
            t->way[0] = '?';
        else if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
            (void)ptrace(PTRACE_LISTEN, t->pid, 0L, 0L);
        else
            go_on(t->pid, 0);
    } else if (sig == (SIGTRAP | 0x80)) {
        call_entered(t);
        go_on(t->pid, 0);
    } else {
        go_on(t->pid, sig);
    }
}

static double now(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#define END_MAX_S    3.0
#define REST_S       0.06
#define REST_ALIVE_S 0.45 /* more than SETTLE_NS of runtime/monitor/start.c */

static void follow(pid_t command) {
    double ended = 0, last = 0;
    int status;

    for (;;) {
        pid_t pid = waitpid(-1, &status, __WALL | (ended > 0 ? WNOHANG : 0));

        if (pid < 0)
            return;
        if (pid == 0) {
            if (now() > ended + END_MAX_S || now() > last + (killed ? REST_S : REST_ALIVE_S))
                return;
            usleep(1000);
            continue;
        }
        last = now();
        if (WIFSTOPPED(status)) {
            stopped(find(pid), status);
        } else {
            find(pid)->pid = -1;
            if (pid == command) {
                ended = last;
                command_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            }
        }
    }
}

int main(int argc, char **argv) {
    pid_t pid, living = 0;
    struct traced *first;
    char **command, *colon;
    bool list, streams = false;

    if (argc > 3 && strcmp(argv[1], "-o") == 0) {
        streams = true;
        points = fopen(argv[2], "we");
        argv += 2;
        argc -= 2;
    }
    if (argc > 3 && strcmp(argv[1], "-a") == 0) {
        living = atoi(argv[2]);
        argv += 2;
        argc -= 2;
    }
    list = argc > 2 && strcmp(argv[1], "-l") == 0;
    command = argv + (list ? 2 : 3);

    if (!list) {
        if (argc < 4 || strcmp(argv[1], "-k") != 0 || !(colon = strchr(argv[2], ':')))
            return 2;
        *colon = '\0';
        target_way = argv[2];
        target_ordinal = strtol(colon + 1, NULL, 10);
    }
    if (!points)
        points = stdout;
    setvbuf(points, NULL, _IOFBF, 1 << 16);
    pid = fork();
    if (pid == 0) {
        raise(SIGSTOP);
        if (!streams && (!freopen("/dev/null", "r", stdin) || !freopen("/dev/null", "w", stdout)))
            _exit(127);
        execv(command[0], command);
        _exit(127);
    }
    waitpid(pid, NULL, WUNTRACED);
    if (ptrace(PTRACE_SEIZE, pid, 0L, (long)OPTIONS) < 0) {
        perror("killer: ptrace");
        return 2;
    }
    if (living) {
        first = find(living);
        strcpy(first->way, "m");
        program_read(first);
        if (ptrace(PTRACE_SEIZE, living, 0L, (long)OPTIONS) < 0 || ptrace(PTRACE_INTERRUPT, living, 0L, 0L) < 0) {
            perror("killer: ptrace of the living one");
            return 2;
        }
    }
    first = find(pid);
    strcpy(first->way, "0");
    strcpy(first->program, "tare");
    kill(pid, SIGCONT);
    follow(pid);
    fflush(points);
    if (streams)
        return command_status;
    return list || killed ? 0 : 3;
}
