#include "network/helper.h"

#include "base/self.h"

pid_t helper_start(char *const argv[], const int *fds, size_t n, int netns_fd, struct error *e) {
    _cleanup_fd_ int program = self_open_program(HELPER_PROGRAM, e);

    return program < 0 ? program : self_start(program, argv, fds, n, netns_fd, e);
}
