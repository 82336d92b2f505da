/* Runs a command many times and prints how long it took: `measure -n TIMES [-p PAUSE_MS] [-j PARALLEL] COMMAND [ARG…]`
 *
 * Output: min, median, 95th percentile, in milliseconds, and runs a second, separated by blanks. Starting is vfork + exec of a path
 * (no PATH search, no shell), with standard streams on /dev/null (standard error kept), so little is measured that is not the
 * command. A run that fails ends everything with status 1. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUNS_MAX 100000

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

int main(int argc, char **argv) {
    static double took[RUNS_MAX];
    struct run running[256] = {0};
    long runs = 20, pause = 0, parallel = 1, begun = 0, ended = 0, alive = 0;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), c, status;
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
    first = now_ms();
    while (ended < runs) {
        while (begun < runs && alive < parallel) {
            struct run *r = running;

            while (r->pid)
                r++;
            if (pause)
                pause_ms(pause);
            r->started = now_ms();
            r->pid = start(argv + optind, null);
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
            if (status != 0) {
                fprintf(stderr, "measure: %s: wait status 0x%x\n", argv[optind], (unsigned)status);
                return 1;
            }
        }
    }
    first = now_ms() - first;
    qsort(took, (size_t)runs, sizeof(took[0]), compare);
    printf("%.3f %.3f %.3f %.1f\n", took[0], took[runs / 2], took[runs * 95 / 100], (double)runs * 1e3 / first);
    return 0;
}
