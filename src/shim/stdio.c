/* Streams. containerd names them: a FIFO that it has made (and reads, or will read again after its restart), or an URI.
 *
 * A FIFO's end is given to the process itself: nothing is copied, and nothing is lost when the shim is killed. The shim keeps the
 * FIFO open for reading and writing until the process ends, so that the process neither gets SIGPIPE nor an end of file while
 * containerd is away; but not before somebody reads it: what a process that ends soon has written would be gone with the shim's
 * end. Terminals alone are copied (terminal.c). */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "kernel/sys.h"
#include "shim/shim.h"

#define LOGGER_TIMEOUT_MS 10000
#define READER_TIMEOUT_MS 10000 /* then it begins without */
#define READER_POLL_MS    2
#define LOGGER_ARGS_MAX   64
#define LOGGER_FIRST_FD   3 /* standard output, standard error, "ready" */

void stdio_init(struct stdio *io) {
    *io = (struct stdio){.fd = {-1, -1, -1}, .ready_fd = -1, .spill = {.fd = -1}};
}

/* "%2F" → "/"; in place. */
static void decode_percent(char *text) {
    char *to = text;

    for (; *text; text++) {
        unsigned value;

        if (*text == '%' && sscanf(text + 1, "%2x", &value) == 1 && text[1] && text[2]) {
            *to++ = (char)value;
            text += 2;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
}

/* binary:///path?key=value&…: the program gets each key and each value as an argument. */
static void logger_arguments(char *uri, char *argv[LOGGER_ARGS_MAX]) {
    char *query = strchr(uri, '?');
    size_t n = 1;

    if (query)
        *query++ = '\0';
    argv[0] = uri;
    while (query && *query && n + 3 < LOGGER_ARGS_MAX) {
        char *next = strchr(query, '&'), *value;

        if (next)
            *next++ = '\0';
        value = strchr(query, '=');
        if (value)
            *value++ = '\0';
        argv[n++] = query;
        if (value && *value) {
            argv[n] = value;
            decode_percent(argv[n++]);
        }
        decode_percent(query);
        query = next;
    }
    argv[n] = NULL;
    decode_percent(uri);
}

static _Noreturn void become_logger(const struct shim *s, const struct container *c, char *uri, int out, int err, int ready) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    char *argv[LOGGER_ARGS_MAX];
    char *envp[] = {arena_printf(&a, "CONTAINER_ID=%s", c->id), arena_printf(&a, "CONTAINER_NAMESPACE=%s", s->namespace_), NULL};
    int fds[] = {fcntl(out, F_DUPFD, 10), fcntl(err, F_DUPFD, 10), fcntl(ready, F_DUPFD, 10)};
    sigset_t none;

    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    logger_arguments(uri, argv);
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], LOGGER_FIRST_FD + i) < 0)
            _exit(EXIT_ENGINE);
    (void)sys_close_range(LOGGER_FIRST_FD + 3, ~0U, 0);
    execve(argv[0], argv, envp);
    _exit(EXIT_NOT_FOUND);
}

static int logger_begin(struct shim *s, struct container *c, struct stdio *io, const char *uri, struct error *e) {
    enum { READ, WRITE };
    int out[2] = {-1, -1}, err[2] = {-1, -1}, ready[2] = {-1, -1};
    _cleanup_free_ char *text = strdup(uri);
    pid_t pid = -1;

    if (text && pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0 && pipe2(ready, O_CLOEXEC) == 0)
        pid = fork();
    if (pid == 0)
        become_logger(s, c, text, out[READ], err[READ], ready[WRITE]);
    fd_close(out[READ]);
    fd_close(err[READ]);
    fd_close(ready[WRITE]);
    io->fd[STREAM_OUT] = out[WRITE];
    io->fd[STREAM_ERR] = err[WRITE];
    io->ready_fd = ready[READ];
    return pid < 0 ? error_errno(e, -errno, "start the log program %s", uri) : 0;
}

/* file:///path, or a plain path that is no FIFO: appended to. */
static int open_file(const char *path, struct error *e) {
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int fd, r = 0;

    if (!slash || (size_t)(slash - path) >= sizeof(directory))
        return error_set(e, -EINVAL, "%s is not an absolute path", path);
    (void)snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
    if (directory[0])
        r = fs_mkdirs(directory, 0755, e);
    if (r < 0)
        return r;
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
    return fd < 0 ? error_errno(e, -errno, "open %s", path) : fd;
}

static int open_fifo(const char *path, struct error *e) {
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

    return fd < 0 ? error_errno(e, -errno, "open %s", path) : fd;
}

static bool is_fifo(const char *path) {
    struct stat st;

    return stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
}

static int open_path(const char *path, struct error *e) {
    struct stat st;

    return stat(path, &st) == 0 && !S_ISFIFO(st.st_mode) ? open_file(path, e) : open_fifo(path, e);
}

static int give(const struct container *c, int i, int fd, const char *uri, struct error *e) {
    if (c->io_given && i != STREAM_IN && fchown(fd, c->io_uid, c->io_gid) < 0)
        return error_errno(e, -errno, "give %s to user %u", uri, (unsigned)c->io_uid);
    return 0;
}

int stdio_open(struct shim *s, struct container *c, struct stdio *io, const char *const uri[STREAMS], struct error *e) {
    for (int i = 0; i < STREAMS; i++) {
        io->uri[i] = strdup(uri[i]);
        if (!*uri[i] || (i == STREAM_ERR && (io->terminal || io->fd[i] >= 0)))
            continue;
        if (i == STREAM_OUT && strncmp(uri[i], "binary://", 9) == 0) {
            int r = logger_begin(s, c, io, uri[i] + 9, e);

            if (r < 0)
                return r;
            continue;
        }
        io->fifo[i] = i != STREAM_IN && is_fifo(uri[i]);
        if (io->fifo[i])
            continue;
        if (i == STREAM_ERR && strcmp(uri[i], uri[STREAM_OUT]) == 0 && io->fd[STREAM_OUT] >= 0)
            io->fd[i] = fcntl(io->fd[STREAM_OUT], F_DUPFD_CLOEXEC, 3);
        else
            io->fd[i] = strncmp(uri[i], "file://", 7) == 0 ? open_file(uri[i] + 7, e) : open_path(uri[i], e);
        if (io->fd[i] < 0)
            return io->fd[i];
        if (give(c, i, io->fd[i], uri[i], e) < 0)
            return -EPERM;
    }
    return 0;
}

static int await_logger(int ready_fd, struct error *e) {
    struct pollfd p = {.fd = ready_fd, .events = POLLIN};
    char byte;

    if (ready_fd >= 0 && (poll(&p, 1, LOGGER_TIMEOUT_MS) != 1 || read(ready_fd, &byte, 1) < 0))
        return error_set(e, -ETIMEDOUT, "the log program did not become ready");
    return 0;
}

/* A client opens his end in his own time, as he expects it of a shim that waits for him. Returns ours, to be held until there is
 * another: he would see an end between the two. */
static int await_reader(const char *path) {
    const struct timespec pause = {.tv_nsec = READER_POLL_MS * 1000000L};
    int fd = -1;

    for (int waited = 0; waited < READER_TIMEOUT_MS; waited += READER_POLL_MS) {
        fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (fd >= 0 || errno != ENXIO)
            return fd;
        (void)nanosleep(&pause, NULL);
    }
    return fd;
}

/* The shim gets what keeps them, too. */
static int open_fifos(const struct container *c, struct stdio *io, int channel, struct error *e) {
    for (int i = STREAM_OUT; i <= STREAM_ERR; i++) {
        const bool again = i == STREAM_ERR && io->fifo[STREAM_OUT] && strcmp(io->uri[i], io->uri[STREAM_OUT]) == 0;
        _cleanup_fd_ int held = io->fifo[i] && !again ? await_reader(io->uri[i]) : -1;
        int r;

        if (!io->fifo[i])
            continue;
        io->fd[i] = open_fifo(io->uri[i], e);
        r = io->fd[i] < 0 ? io->fd[i] : give(c, i, io->fd[i], io->uri[i], e);
        if (r < 0)
            return r;
        job_say(channel, JOB_STREAM, i, io->fd[i], NULL, 0);
    }
    return 0;
}

/* A description of its own, since ours does not block: made by opening the descriptor's path anew. */
int stdio_enter(const struct container *c, struct stdio *io, int channel, struct error *e) {
    int r = await_logger(io->ready_fd, e);

    if (r == 0)
        r = open_fifos(c, io, channel, e);
    for (int i = 0; r == 0 && i < STREAMS; i++) {
        _cleanup_fd_ int fd = -1;
        char path[40] = "/dev/null";

        if (io->fd[i] >= 0 && !io->terminal)
            (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", io->fd[i]);
        fd = open(path, (i == STREAM_IN ? O_RDONLY : O_WRONLY) | O_APPEND | O_CLOEXEC | O_NOCTTY);
        if (fd < 0 || dup2(fd, i) < 0)
            r = error_errno(e, -errno, "open stream %d", i);
    }
    return r;
}

void stdio_close_input(struct stdio *io) {
    if (!io->terminal)
        io->fd[STREAM_IN] = fd_close(io->fd[STREAM_IN]);
}

void stdio_close(struct shim *s, struct stdio *io) {
    if (io->console)
        terminal_end(s, io);
    for (int i = 0; i < STREAMS; i++)
        io->fd[i] = fd_close(io->fd[i]);
    io->ready_fd = fd_close(io->ready_fd);
    watch_remove(s, &io->spill);
}

static void spill_ready(struct shim *s, struct watch *w, uint32_t events) {
    char page[PIPE_BUF];
    ssize_t n = read(w->fd, page, sizeof(page));

    (void)events;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        watch_remove(s, w);
}

/* containerd writes what its client types until it deletes the process. With the FIFO closed it would be told of a broken pipe, and
 * then closes the output too, before it has read it; with nobody reading it would wait. */
void stdio_end(struct shim *s, struct stdio *io) {
    int in = TAKE_FD(io->fd[STREAM_IN]);

    if (io->spill.fd >= 0) /* of a terminal, which ended before its process was reaped */
        return;
    stdio_close(s, io);
    io->spill = (struct watch){in, spill_ready};
    if (in >= 0 && watch_add(s, &io->spill, EPOLLIN) < 0) /* not a FIFO */
        io->spill.fd = fd_close(in);
}
