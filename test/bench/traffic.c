/* Ends of connections for the part `network`:
 *
 *     traffic take PORT                      takes what comes by TCP, at all addresses, until it is killed; says "ready" first
 *     traffic send ADDRESS PORT SECONDS      sends to it for so long; prints MB/s, when the other end has told that all is there,
 *                                            and MB for each second of its own processor time (the way of a packet through the
 *                                            kernel is the sender's)
 *     traffic echo PORT                      answers datagrams at 127.0.0.1 with themselves; says "ready" first
 *     traffic ask ADDRESS PORT NAME TIMES    asks a name server for the IPv4 address of NAME, one question after the other;
 *                                            prints minimum, median and 95th percentile in microseconds
 *
 * IPv4 only; each end is in the network namespace that it was started in. A failure ends with status 1. */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define CHUNK        (128 << 10)
#define ASKED_MAX    100000
#define ANSWER_MAX   512
#define QUESTION_MAX 300
#define HEADER_SIZE  12
#define LAST         1 /* the last byte; all others are 0 */

static double clock_us(clockid_t clock) {
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct sockaddr_in address(const char *ip, const char *port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

    if (inet_pton(AF_INET, ip, &a.sin_addr) != 1)
        errx(1, "%s is no IPv4 address", ip);
    return a;
}

static int bound(int type, const char *ip, const char *port) {
    struct sockaddr_in a = address(ip, port);
    int fd = socket(AF_INET, type, 0), one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || (type == SOCK_STREAM && listen(fd, 16) < 0))
        err(1, "bind to port %s", port);
    puts("ready");
    fflush(stdout);
    return fd;
}

static int connected(int type, const char *ip, const char *port) {
    struct sockaddr_in a = address(ip, port);
    struct timeval patience = {.tv_sec = 30};
    int fd = socket(AF_INET, type, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        err(1, "connect to %s:%s", ip, port);
    return fd;
}

/* The other end closes first: an answer and the end behind it at once can be too much for the pasta of Debian 12. */
static void take_one(int fd) {
    static char data[CHUNK];
    uint64_t sum = 0;
    ssize_t n;

    while ((n = read(fd, data, sizeof(data))) > 0) {
        sum += (uint64_t)n;
        if (data[n - 1] == LAST)
            break;
    }
    if (write(fd, &sum, sizeof(sum)) < 0)
        warn("answer");
    while (read(fd, data, sizeof(data)) > 0)
        ;
}

/* A process each: one that is not told of its end does not hold up the next. */
static void take(const char *port) {
    int listener = bound(SOCK_STREAM, "0.0.0.0", port);

    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            take_one(fd);
            _exit(0);
        }
        close(fd);
    }
}

static void send_for(const char *ip, const char *port, double seconds) {
    static char data[CHUNK];
    int fd = connected(SOCK_STREAM, ip, port);
    double started = clock_us(CLOCK_MONOTONIC), end = started + seconds * 1e6;
    uint64_t sum = 0, taken = 0;

    while (clock_us(CLOCK_MONOTONIC) < end) {
        ssize_t n = write(fd, data, sizeof(data));

        if (n < 0)
            err(1, "send to %s", ip);
        sum += (uint64_t)n;
    }
    data[0] = LAST; /* not by shutdown(2): the pasta of Debian 12 loses the end of one direction */
    if (write(fd, data, 1) == 1 && read(fd, &taken, sizeof(taken)) == sizeof(taken) && taken == sum + 1)
        printf("%.1f %.1f\n", (double)sum / (clock_us(CLOCK_MONOTONIC) - started),
               (double)sum / clock_us(CLOCK_PROCESS_CPUTIME_ID));
    else
        errx(1, "%llu bytes were sent to %s, %llu arrived", (unsigned long long)sum, ip, (unsigned long long)taken);
}

static void echo(const char *port) {
    int fd = bound(SOCK_DGRAM, "127.0.0.1", port);

    for (;;) {
        char data[ANSWER_MAX];
        struct sockaddr_in from;
        socklen_t size = sizeof(from);
        ssize_t n = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &size);

        if (n >= 0)
            sendto(fd, data, (size_t)n, 0, (struct sockaddr *)&from, size);
    }
}

/* RFC 1035: a header with one question, labels with their lengths, type A, class IN. */
static size_t question(const char *name, unsigned char to[QUESTION_MAX]) {
    static const unsigned char head[HEADER_SIZE] = {0, 0, 1, 0, 0, 1}, tail[] = {0, 0, 1, 0, 1};
    size_t at = sizeof(head), length = strlen(name);

    if (length > 200 || strchr(name, '.'))
        errx(1, "%s is no label", name);
    memcpy(to, head, sizeof(head));
    to[at++] = (unsigned char)length;
    memcpy(to + at, name, length);
    memcpy(to + at + length, tail, sizeof(tail));
    return at + length + sizeof(tail);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void ask(const char *ip, const char *port, const char *name, int times) {
    static double took[ASKED_MAX];
    unsigned char asked[QUESTION_MAX], answer[ANSWER_MAX];
    int fd = connected(SOCK_DGRAM, ip, port);
    size_t size = question(name, asked);

    if (times < 1 || times > ASKED_MAX)
        errx(2, "between 1 and %d times", ASKED_MAX);
    for (int i = 0; i < times; i++) {
        double started = clock_us(CLOCK_MONOTONIC);
        ssize_t n;

        asked[0] = (unsigned char)(i >> 8);
        asked[1] = (unsigned char)i;
        if (send(fd, asked, size, 0) < 0 || (n = recv(fd, answer, sizeof(answer), 0)) < HEADER_SIZE)
            err(1, "ask %s", ip);
        took[i] = clock_us(CLOCK_MONOTONIC) - started;
        if (memcmp(answer, asked, 2) != 0 || (answer[3] & 0xf) != 0)
            errx(1, "%s does not know %s", ip, name);
    }
    qsort(took, (size_t)times, sizeof(took[0]), compare);
    printf("%.1f %.1f %.1f\n", took[0], took[times / 2], took[times * 95 / 100]);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "take") == 0 && argc == 3)
        take(argv[2]);
    else if (strcmp(what, "send") == 0 && argc == 5)
        send_for(argv[2], argv[3], atof(argv[4]));
    else if (strcmp(what, "echo") == 0 && argc == 3)
        echo(argv[2]);
    else if (strcmp(what, "ask") == 0 && argc == 6)
        ask(argv[2], argv[3], argv[4], atoi(argv[5]));
    else
        errx(2, "usage: traffic take PORT | send ADDRESS PORT SECONDS | echo PORT | ask ADDRESS PORT NAME TIMES");
    return 0;
}
