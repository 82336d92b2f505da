/* tare-monitor: the small program beside each container. Its roles are chosen by the first argument (a second one, the id, is for
 * ps); descriptor 3 is the connection to whoever started it. */
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/self.h"
#include "runtime/monitor/monitor.h"

#define SOCKET_FD 3

static const struct {
    const char *name;
    int (*run)(int socket_fd);
} roles[] = {
    {"container", role_container},
    {"adopt", role_adopt},
    {"exec", role_exec},
};

/* What ps shows for the built-in init, which is a fork of ours: the room of our arguments. */
static char *arguments;
static size_t arguments_size;

void arguments_replace(const char *text) {
    memset(arguments, 0, arguments_size);
    (void)snprintf(arguments, arguments_size, "%s", text);
}

int main(int argc, char **argv) {
    self_seal();
    (void)prctl(PR_SET_DUMPABLE, 0); /* before a namespace is joined or shared: nobody inside may trace us */
    arguments = argv[0];
    for (int i = 0; i < argc; i++)
        arguments_size = (size_t)(argv[i] - argv[0]) + strlen(argv[i]) + 1;
    if (argc >= 3 && strcmp(argv[1], "oci") == 0)
        return role_oci(argc - 3, argv + 3);
    (void)fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC); /* nothing of ours reaches the container */
    for (size_t i = 0; argc >= 2 && i < ARRAY_SIZE(roles); i++)
        if (strcmp(argv[1], roles[i].name) == 0)
            return roles[i].run(SOCKET_FD);
    static const char text[] = "tare-monitor " TARE_VERSION " looks after one container; it is started by tare\n";

    (void)!write(2, text, sizeof(text) - 1);
    return EXIT_ENGINE;
}
