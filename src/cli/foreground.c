#include "cli/foreground.h"

#include <sys/ioctl.h>

#include "engine/container.h"
#include "model/config.h"
#include "model/units.h"

const char *cli_detach_keys(struct cli *cli) {
    const struct config *config;
    return cli_config(cli, &config, NULL) < 0 ? NULL : config->detach_keys;
}

int foreground_check_tty(bool tty, bool attach_stdin, struct error *e) {
    if (tty && attach_stdin && !isatty(STDIN_FILENO)) {
        error_set(e, -EINVAL, "the input device is not a TTY");
        return error_status(e, 1), -EINVAL;
    }
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

/* What a shell would not tell: status 137 has many reasons. */
static void tell_out_of_memory(const struct container_record *c) {
    _cleanup_buf_ struct buf limit = BUF_INIT;
    if (c->host.memory > 0) {
        size_human_binary(c->host.memory, &limit);
        fprintf(stderr, "tare: %s: out of memory: a process was killed by the limit of %s (--memory)\n", c->name, buf_text(&limit));
    } else {
        fprintf(stderr, "tare: %s: out of memory: the kernel killed a process\n", c->name);
    }
}

int foreground_carry(struct monitor_conn *conn, const struct container *c, const struct foreground_options *o, struct error *e) {
    struct foreground_result result = {0};
    int r = monitor_foreground(conn, o, &result, e);
    if (r < 0)
        return error_status(e, EXIT_ENGINE);
    if (result.oom_killed && c)
        tell_out_of_memory(&c->record);
    if (result.detached)
        return 0;
    if (result.lost)
        return error_status(e, EXIT_ENGINE),
               error_set(e, -ECONNRESET, "the container's monitor is gone: its exit status is unknown");
    return result.exit_code;
}
