#include "network/pasta.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/netns_make.h"
#include "network/helper.h"
#include "network/port.h"

#define WORDS_MAX  4 /* tare-net pasta CGROUP, and the end */
#define ANSWER_MAX 512

/* "-t 127.0.0.1/8080:80" */
static void add_port(struct strs *words, struct arena *a, const struct published_port *p) {
    char ip[IP_TEXT_MAX];
    bool any = p->host_ip.family == IP_NONE;

    strs_add(a, words, p->protocol == IPPROTO_UDP ? "-u" : "-t");
    strs_add(a, words,
             arena_printf(a, "%s%s%u:%u", any ? "" : ip_format(&p->host_ip, ip), any ? "" : "/", p->host_port, p->container_port));
}

/* pasta forwards everything where an option is missing. */
static void add_none(struct strs *words, struct arena *a, const struct list *ports, uint8_t protocol, const char *option) {
    for (size_t i = 0; i < ports->n; i++)
        if (LIST_AT(struct published_port, ports, i)->protocol == protocol)
            return;
    strs_add(a, words, option);
    strs_add(a, words, "none");
}

static int start_helper(const struct strs *words, int netns, int run_dirfd, const char *cgroup, struct arena *a,
                        struct pasta_network *ret, struct error *e) {
    char **argv = arena_array(a, char *, words->n + WORDS_MAX);
    _cleanup_fd_ int ours = -1, theirs = -1;
    char answer[ANSWER_MAX + 1];
    int pair[2];
    ssize_t n;
    pid_t pid;

    argv[0] = (char[]){HELPER_PROGRAM};
    argv[1] = (char[]){"pasta"};
    argv[2] = arena_strdup(a, cgroup);
    for (size_t i = 0; i < words->n; i++)
        argv[3 + i] = arena_strdup(a, words->v[i]);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(e, -errno, "make a connection to %s", HELPER_PROGRAM);
    ours = pair[0];
    theirs = pair[1];
    pid = helper_start(argv, (const int[]){theirs, netns, run_dirfd}, 3, -1, e);
    if (pid < 0)
        return pid;
    theirs = fd_close(theirs);
    n = read(ours, answer, ANSWER_MAX);
    answer[n > 0 ? n : 0] = '\0';
    if (strcmp(answer, "ok") != 0) {
        char *hint = strchr(answer, '\n');

        if (hint)
            *hint++ = '\0';
        (void)error_set(e, -ENETUNREACH, "%s", *answer ? answer : "tare-net ended early");
        return hint ? error_hint(e, "%s", hint) : -ENETUNREACH;
    }
    *ret = (struct pasta_network){TAKE_FD(ours), pid};
    return 0;
}

int pasta_start(const struct list *ports, const char *cgroup, int run_dirfd, struct arena *a, struct pasta_network *ret,
                struct error *e) {
    _cleanup_fd_ int netns = netns_new(false, e);
    struct strs words = {0};
    int r = netns;

    for (size_t i = 0; i < ports->n; i++)
        add_port(&words, a, LIST_AT(struct published_port, ports, i));
    add_none(&words, a, ports, IPPROTO_TCP, "-t");
    add_none(&words, a, ports, IPPROTO_UDP, "-u");
    port_close(ports);
    if (r >= 0)
        r = start_helper(&words, netns, run_dirfd, cgroup, a, ret, e);
    return r < 0 ? error_wrap(e, r, "network pasta") : 0;
}
