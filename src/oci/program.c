/* A call as a program: output, errors and the log. */
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "model/units.h"
#include "oci/oci.h"

#define LISTEN_MAX 512

static void write_log(const struct oci_options *o, const char *level, const char *text) {
    _cleanup_buf_ struct buf line = BUF_INIT;
    _cleanup_fd_ int fd = o->log ? open(o->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644) : -1;

    oci_log_line(o, level, text, &line);
    if (fd >= 0)
        (void)fs_write_all(fd, line.data, line.size);
    if (!o->log || strcmp(level, "error") == 0) /* callers without a log look there */
        (void)fs_write_all(STDERR_FILENO, line.data, line.size);
}

/* The sockets of a unit's activation, when they are meant for us; crun takes them also where nobody is named. */
static int listen_fds(void) {
    const char *n = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
    int64_t count = 0, meant = getpid();

    if (!n || (pid && int_parse(pid, 1, INT32_MAX, &meant) < 0) || meant != getpid())
        return 0;
    return int_parse(n, 0, LISTEN_MAX, &count) < 0 ? 0 : (int)count;
}

static const char *value_of(const char *name) {
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

int oci_main(int argc, const char *const *argv) {
    _cleanup_error_ struct error e = ERROR_INIT;
    struct oci_call call = {
        .notify_socket = value_of("NOTIFY_SOCKET"), .listen_names = value_of("LISTEN_FDNAMES"), .listen_fds = listen_fds()};
    int r = oci_call(argc, argv, &call, &e);

    for (size_t i = 0; i < call.warnings.n; i++)
        write_log(&call.o, "warning", call.warnings.v[i]);
    if (r < 0) {
        _cleanup_free_ char *text = error_sentence(&e);

        write_log(&call.o, "error", text);
        r = e.status ? e.status : 1;
    } else {
        if (call.o.debug)
            write_log(&call.o, "debug", call.o.verb ? call.o.verb : "");
        if (call.out.size > 0 && fs_write_all(STDOUT_FILENO, call.out.data, call.out.size) < 0)
            r = 1;
    }
    buf_release(&call.out);
    arena_release(&call.arena);
    return r;
}
