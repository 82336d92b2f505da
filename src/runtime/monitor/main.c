/* tare-monitor: the small program beside each container. Its roles are chosen by the first argument; descriptor 3 is the connection
 * to whoever started it. */
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>

#include "runtime/monitor/monitor.h"

#define SOCKET_FD 3

static const struct {
    const char *name;
    int (*run)(int socket_fd);
} roles[] = {
    {"container", role_container},
    {"exec", role_exec},
};

int main(int argc, char **argv) {
    (void)prctl(PR_SET_DUMPABLE, 0);             /* before a namespace is joined or shared: nobody inside may trace us */
    (void)fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC); /* nothing of ours reaches the container */
    for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(roles); i++)
        if (strcmp(argv[1], roles[i].name) == 0)
            return roles[i].run(SOCKET_FD);
    static const char text[] = "tare-monitor " TARE_VERSION " looks after one container; it is started by tare\n";

    (void)!write(2, text, sizeof(text) - 1);
    return EXIT_ENGINE;
}
