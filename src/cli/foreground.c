#include "cli/foreground.h"

#include <sys/ioctl.h>

int foreground_check_tty(bool tty, bool attach_stdin, struct error *e) {
    if (tty && attach_stdin && !isatty(STDIN_FILENO))
        return error_set(e, -EINVAL, "the input device is not a TTY");
    return 0;
}

void foreground_size(uint32_t *rows, uint32_t *columns) {
    struct winsize size;
    *rows = *columns = 0;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0) {
            *rows = size.ws_row;
            *columns = size.ws_col;
            return;
        }
    }
}

int foreground_carry(struct monitor_conn *conn, const struct foreground_options *o, struct error *e) {
    struct foreground_result result = {0};
    int r = monitor_foreground(conn, o, &result, e);
    if (r < 0)
        return error_status(e, EXIT_ENGINE);
    if (result.detached)
        return 0;
    if (result.lost)
        return error_status(e, EXIT_ENGINE),
               error_set(e, -ECONNRESET, "the container's monitor is gone: its exit status is unknown");
    return result.exit_code;
}
