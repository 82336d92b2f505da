/* Runs a command many times and prints how long it took: `measure -n TIMES [-p PAUSE_MS] [-j PARALLEL] COMMAND [ARG…]`
 *
 * Output: min, median, 95th percentile, in milliseconds; runs a second; processor time of each run in milliseconds; KiB of the
 * largest process (ru_maxrss), separated by blanks. Starting is vfork + exec of a path (no PATH search, no shell), with standard
 * streams on /dev/null (standard error kept), so little is measured that is not the command. A run that fails ends everything with
 * status 1.
 *
 * COMMAND may be several with "+" between them, which are one run: each begins when the one before has ended, with all that it left
 * behind (`create`, `start`: a container's process, which ends). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUNS_MAX  100000
#define STEPS_MAX 8

struct run {
    pid_t pid;
    double started;
};

static double now_ms(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static pid_t start(char **command, int null) {
    pid_t pid = vfork();

    if (pid == 0) {
        dup2(null, 0);
        dup2(null, 1);
        execv(command[0], command);
        _exit(127);
    }
    return pid;
}

static void pause_ms(long ms) {
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

static void failed(char **command, int status) {
    fprintf(stderr, "measure: %s: wait status 0x%x\n", command[0], (unsigned)status);
    exit(1);
}

/* Waits for one process of ours, which is the command if it has that pid. */
static void wait_for(pid_t pid, char **command) {
    int status;
    pid_t ended;

    do
        ended = waitpid(pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    if (ended == pid && status != 0)
        failed(command, status);
}

/* All but the last of the commands with "+" between them; returns where the last one begins. What `create` leaves waits for
 * `start`, so only the last but one is awaited with what it left. */
static char **run_steps(char **command, char **const steps[], int n, int null) {
    for (int i = 0; i < n; i++) {
        wait_for(start(command, null), command);
        command = steps[i];
    }
    while (n > 0 && waitpid(-1, NULL, 0) > 0)
        ;
    return command;
}

/* Ends each command with NULL, and fills in where the others begin. */
static int split(char **command, char **steps[]) {
    int n = 0;

    for (; *command; command++)
        if (strcmp(*command, "+") == 0 && n < STEPS_MAX) {
            *command = NULL;
            steps[n++] = command + 1;
        }
    return n;
}

static double processor_ms(const struct rusage *u) {
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1e3 + (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e3;
}

int main(int argc, char **argv) {
    static double took[RUNS_MAX];
    struct run running[256] = {0};
    long runs = 20, pause = 0, parallel = 1, begun = 0, ended = 0, alive = 0;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), c, status;
    char **steps[STEPS_MAX];
    struct rusage used;
    int n_steps;
    double first;

    while ((c = getopt(argc, argv, "+n:p:j:")) != -1) {
        long value = optarg ? strtol(optarg, NULL, 10) : 0;

        if (c == 'n')
            runs = value;
        else if (c == 'p')
            pause = value;
        else if (c == 'j')
            parallel = value;
        else
            return 2;
    }
    if (!argv[optind] || runs < 1 || runs > RUNS_MAX || parallel < 1 || parallel > 256)
        return 2;
    n_steps = split(argv + optind, steps);
    if (n_steps > 0 && (parallel > 1 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0))
        return 2;
    first = now_ms();
    while (ended < runs) {
        while (begun < runs && alive < parallel) {
            struct run *r = running;

            while (r->pid)
                r++;
            if (pause)
                pause_ms(pause);
            r->started = now_ms();
            r->pid = start(run_steps(argv + optind, steps, n_steps, null), null);
            begun++;
            alive++;
        }
        pid_t pid = wait(&status);
        double now = now_ms();

        for (struct run *r = running; r < running + 256; r++) {
            if (r->pid != pid)
                continue;
            r->pid = 0;
            alive--;
            took[ended++] = now - r->started;
            if (status != 0)
                failed(argv + optind, status);
        }
    }
    first = now_ms() - first;
    qsort(took, (size_t)runs, sizeof(took[0]), compare);
    (void)getrusage(RUSAGE_CHILDREN, &used);
    printf("%.3f %.3f %.3f %.1f %.3f %ld\n", took[0], took[runs / 2], took[runs * 95 / 100], (double)runs * 1e3 / first,
           processor_ms(&used) / (double)runs, used.ru_maxrss);
    return 0;
}
