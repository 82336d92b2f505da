#include "runtime/monitor/log_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/self.h"
#include "runtime/log_format.h"
#include "runtime/monitor/log_process.h"
#include "runtime/monitor/log_remote.h"

#define BATCH_SIZE        ((size_t)256 << 10)
#define IDLE_KEEP         ((size_t)4096) /* of the batch that stays in memory */
#define SIZE_MAX_DEFAULT  ((uint64_t)10 << 20)
#define FILES_MAX_DEFAULT 3
#define FILES_MAX_LIMIT   1000
#define NAME_ROOM         128
#define CLOSE_WAIT_NS     (5 * NS_PER_SEC)
#define CLOSE_LOOK_MS     100

/* A line that is not finished. Its buffer exists only while there is one. */
struct partial {
    char *data; /* owned; LOG_LINE_MAX bytes */
    size_t size;
    bool cut;              /* earlier parts of this line were already written */
    struct timespec since; /* when its first part was read: all parts carry that time, as Docker's */
};

struct log_writer {
    const struct monitor_log_options *options;
    char id[ID_LENGTH + 1];
    int dirfd; /* borrowed */
    int fd;
    struct log_remote *remote;   /* journald, syslog */
    struct log_process *process; /* writes in our stead */
    pid_t compressor;            /* makes a gzip file of the last file that was turned over; 0 = none */
    struct buf message;          /* records that it gets next */
    uint64_t message_bytes;      /* of output in it */
    struct buf waiting;          /* messages that it has not taken: size_t, then so many bytes, each */
    uint64_t file_size;
    uint64_t size_max;
    uint32_t files_max;
    char *batch; /* mapped; BATCH_SIZE */
    char *end;   /* of what is in it */
    char *high;  /* highest end since the last log_idle */
    size_t attrs_size;
    uint64_t lost_bytes; /* could not be written */
    int lost_errno;
    struct partial partial[2];
    struct timespec now; /* of the current log_write */
    char now_text[TIME_TEXT_MAX];
};

static bool is_remote(const struct log_writer *w) {
    return w->options->driver == LOG_JOURNALD || w->options->driver == LOG_SYSLOG;
}

/* Where the last whole record of a json-file ends: behind its last newline. */
static off_t json_whole_end(int fd, off_t size) {
    char block[4096];

    while (size > 0) {
        off_t start = size > (off_t)sizeof(block) ? size - (off_t)sizeof(block) : 0;
        ssize_t n = pread(fd, block, (size_t)(size - start), start);
        char *newline;

        if (n <= 0)
            return size;
        newline = memrchr(block, '\n', (size_t)n);
        if (newline)
            return start + (newline - block) + 1;
        size = start;
    }
    return 0;
}

/* The same for local: usually the trailer of the last record shows it; a torn file is walked from its beginning. */
static off_t local_whole_end(int fd, off_t size) {
    const size_t room_size = BATCH_SIZE;
    _cleanup_free_ char *room = malloc(room_size);
    off_t at = 0;
    size_t tail = MIN_OF((size_t)size, LOG_LINE_MAX + 64);
    ssize_t n = room ? pread(fd, room, tail, size - (off_t)tail) : -1;

    if (!room)
        return size;
    if (n == (ssize_t)tail && (tail == 0 || log_local_last(room, tail) > 0))
        return size;
    while (at < size) {
        struct log_record r;
        size_t used = 0;

        n = pread(fd, room, room_size, at);
        while (n > 0) {
            ssize_t took = log_local_decode(room + used, (size_t)n - used, &r);

            if (took <= 0)
                break;
            used += (size_t)took;
        }
        if (used == 0)
            break;
        at += (off_t)used;
    }
    return at;
}

static int open_file(struct log_writer *w, struct error *e) {
    char name[NAME_ROOM];
    struct stat st;
    off_t whole;

    (void)log_file_name((enum log_driver)w->options->driver, w->id, name, sizeof(name));
    w->fd = openat(w->dirfd, name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (w->fd < 0 || fstat(w->fd, &st) < 0)
        return error_errno(e, -errno, "open the log %s", name);
    whole = st.st_size == 0                       ? 0
            : w->options->driver == LOG_JSON_FILE ? json_whole_end(w->fd, st.st_size)
                                                  : local_whole_end(w->fd, st.st_size);
    if (whole < st.st_size && ftruncate(w->fd, whole) < 0)
        return error_errno(e, -errno, "cut a torn record off the log %s", name);
    w->file_size = (uint64_t)whole;
    return 0;
}

/* --- files that were turned over --------------------------------------------------------------------------------------------- */

/* Their names: "<log>.2", and behind it ".gz" or nothing. */
static void turned_name(const struct log_writer *w, uint32_t nth, const char *more, char room[NAME_ROOM + 32]) {
    char name[NAME_ROOM];

    (void)log_file_name((enum log_driver)w->options->driver, w->id, name, sizeof(name));
    if (nth)
        (void)snprintf(room, NAME_ROOM + 32, "%s.%u%s", name, nth, more);
    else
        (void)snprintf(room, NAME_ROOM + 32, "%s%s", name, more);
}

/* The first of them is compressed: its gzip file, of the same time, takes its place. wait: until it is done. */
static void end_compressing(struct log_writer *w, bool wait) {
    char plain[NAME_ROOM + 32], made[NAME_ROOM + 32], name[NAME_ROOM + 32];
    struct stat st;
    int status;
    pid_t pid = w->compressor > 0 ? waitpid(w->compressor, &status, wait ? 0 : WNOHANG) : 0;

    if (pid == 0)
        return;
    w->compressor = 0;
    turned_name(w, 1, "", plain);
    turned_name(w, 1, ".gz.new", made);
    turned_name(w, 1, ".gz", name);
    if (pid > 0 && status == 0 && fstatat(w->dirfd, plain, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        const struct timespec times[2] = {st.st_mtim, st.st_mtim};

        if (utimensat(w->dirfd, made, times, AT_SYMLINK_NOFOLLOW) == 0 && renameat(w->dirfd, made, w->dirfd, name) == 0)
            (void)unlinkat(w->dirfd, plain, 0);
    }
    (void)unlinkat(w->dirfd, made, 0); /* it failed: the file stays as it is */
}

/* By the confined worker: what is in a log comes from strangers. Only where a process of the log's own can wait for it. */
static void begin_compressing(struct log_writer *w) {
    static char role[] = "compress", program_name[] = "tare-unpack";
    char *const argv[] = {program_name, role, NULL};
    char plain[NAME_ROOM + 32], made[NAME_ROOM + 32];
    _cleanup_fd_ int program = open(w->options->compressor, O_PATH | O_CLOEXEC), in = -1, out = -1;

    turned_name(w, 1, "", plain);
    turned_name(w, 1, ".gz.new", made);
    in = openat(w->dirfd, plain, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    out = openat(w->dirfd, made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (program < 0 || in < 0 || out < 0)
        return;
    w->compressor = self_start(program, argv, (const int[]){in, out}, 2, -1, NULL);
}

/* The nth becomes the one after, in whichever form it is. */
static void move_on(const struct log_writer *w, uint32_t nth, const char *more) {
    char from[NAME_ROOM + 32], to[NAME_ROOM + 32];

    turned_name(w, nth, more, from);
    turned_name(w, nth + 1, more, to);
    /* Renaming over a file would make ext4 write the renamed one to the disk first (auto_da_alloc), in this call. */
    if (nth + 2 == w->files_max)
        (void)unlinkat(w->dirfd, to, 0);
    (void)renameat(w->dirfd, from, w->dirfd, to);
}

/* log → log.1 → … → log.(files_max - 1); with one file it begins anew. */
static void rotate(struct log_writer *w) {
    if (w->files_max == 1) {
        if (ftruncate(w->fd, 0) == 0)
            w->file_size = 0;
        return;
    }
    end_compressing(w, true);
    for (uint32_t i = w->files_max - 1; i-- > 0;) {
        move_on(w, i, "");
        if (i > 0 && w->options->compressor)
            move_on(w, i, ".gz");
    }
    w->fd = fd_close(w->fd);
    if (w->options->compressor)
        begin_compressing(w);
    if (open_file(w, NULL) < 0)
        w->fd = fd_close(w->fd);
}

/* --- the process that writes ------------------------------------------------------------------------------------------------- */

/* Another one, of a monitor that was killed, may still be writing out what it has. */
static void process_begin(void *arg) {
    struct log_writer *w = arg;
    _cleanup_fd_ int dir = openat(w->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    w->process = NULL;
    w->waiting = w->message = (struct buf)BUF_INIT; /* of the monitor, which goes on with it, as with unfinished lines */
    memset(w->partial, 0, sizeof(w->partial));
    w->lost_bytes = 0;
    if (dir >= 0)
        (void)flock(TAKE_FD(dir), LOCK_EX); /* kept until the end */
    if (!w->options->no_file)
        (void)open_file(w, NULL);
}

static void record_now(struct log_writer *w, int stream, struct timespec t, const char *time_text, const char *p, size_t n);
static void tell_losses(struct log_writer *w);

static void process_record(void *arg, int stream, struct timespec t, const char *p, size_t n) {
    struct log_writer *w = arg;

    if (t.tv_sec != w->now.tv_sec || t.tv_nsec != w->now.tv_nsec) { /* those that were read together have one time */
        w->now = t;
        time_format(t, w->now_text);
    }
    tell_losses(w);
    record_now(w, stream, t, w->now_text, p, n);
}

static void process_pause(void *arg) {
    log_flush(arg);
    end_compressing(arg, false);
    log_idle(arg);
}

static void process_end(void *arg) {
    (void)log_close(arg);
}

static int start_process(struct log_writer *w, const char *cgroup, struct error *e) {
    const struct log_sink sink = {w, process_begin, process_record, process_pause, process_end};
    int r = log_process_start(&sink, (size_t)w->options->buffer_size, w->dirfd, log_remote_fd(w->remote), cgroup, &w->process, e);

    log_remote_cut(w->remote);
    return r;
}

/* --- opening ----------------------------------------------------------------------------------------------------------------- */

int log_open(const struct monitor_log_options *options, int container_dirfd, const char *id, const char *cgroup,
             struct log_writer **ret, struct error *e) {
    struct log_writer *w;
    int r = 0;

    if (options->driver == LOG_NONE) {
        *ret = NULL;
        return 0;
    }
    w = calloc(1, sizeof(*w));
    if (!w)
        return error_errno(e, -ENOMEM, "open the log");
    *w = (struct log_writer){.options = options, .dirfd = container_dirfd, .fd = -1};
    (void)snprintf(w->id, sizeof(w->id), "%s", id);
    w->size_max = options->size_max ? options->size_max : SIZE_MAX_DEFAULT;
    w->files_max = options->files_max ? MIN_OF(options->files_max, FILES_MAX_LIMIT) : FILES_MAX_DEFAULT;
    w->attrs_size = options->attrs ? strlen(options->attrs) : 0;
    w->batch = mmap(NULL, BATCH_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (w->batch == MAP_FAILED) {
        w->batch = NULL;
        r = error_errno(e, -errno, "map memory for the log");
    } else if (w->attrs_size > BATCH_SIZE / 4) {
        r = error_errno(e, -E2BIG, "take the log's labels and environment");
    } else {
        w->end = w->high = w->batch;
        if (is_remote(w))
            r = log_remote_open(options, &w->remote, e);
        if (r == 0)
            r = is_remote(w) || options->non_blocking || options->compressor ? start_process(w, cgroup, e) : open_file(w, e);
    }
    if (r < 0) {
        log_close(w);
        return r;
    }
    *ret = w;
    return 0;
}

/* Writes the batch, or nothing of its last record: a short write is cut back to where it began. What does not fit is lost and
 * counted: the container goes on. */
static void write_batch(struct log_writer *w) {
    size_t size = (size_t)(w->end - w->batch);
    int r;

    w->high = MAX_OF(w->high, w->end);
    w->end = w->batch;
    if (size == 0)
        return;
    if (w->fd < 0 && open_file(w, NULL) < 0)
        w->fd = fd_close(w->fd);
    r = w->fd < 0 ? -EIO : fs_write_all(w->fd, w->batch, size);
    if (r == 0) {
        w->file_size += size;
        return;
    }
    if (w->fd >= 0 && ftruncate(w->fd, (off_t)w->file_size) < 0)
        w->fd = fd_close(w->fd); /* opening it anew cuts off what is torn */
    w->lost_bytes += size;
    w->lost_errno = r;
}

static void record_now(struct log_writer *w, int stream, struct timespec t, const char *time_text, const char *p, size_t n) {
    if (w->remote)
        log_remote_send(w->remote, stream, t, p, n);
    if (w->options->no_file)
        return;
    if ((size_t)(w->batch + BATCH_SIZE - w->end) < LOG_RECORD_ROOM(n, w->attrs_size))
        write_batch(w);
    if (w->file_size + (uint64_t)(w->end - w->batch) >= w->size_max) {
        write_batch(w);
        rotate(w);
    }
    if (w->options->driver == LOG_JSON_FILE)
        w->end = log_json_encode(w->end, stream, time_text, w->options->attrs, p, n);
    else
        w->end = log_local_encode(w->end, stream, t, p, n);
}

/* Hands the message to the process. One whose buffer is full makes the container wait (log_is_stalled), or the records are lost, as
 * was asked. */
static void send_message(struct log_writer *w) {
    size_t size = w->message.size;
    int r = size == 0 ? 0 : w->waiting.size ? -EAGAIN : log_process_send(w->process, w->message.data, size);

    if (r == -EAGAIN && !w->options->non_blocking) {
        buf_add(&w->waiting, &size, sizeof(size));
        buf_add(&w->waiting, w->message.data, size);
    } else if (r < 0) {
        w->lost_bytes += w->message_bytes;
        w->lost_errno = r == -EAGAIN ? -ENOBUFS : r;
    }
    buf_clear(&w->message);
    w->message_bytes = 0;
}

static void hand_over(struct log_writer *w, int stream, struct timespec t, const char *p, size_t n) {
    if (w->message.size + log_process_room(n) > LOG_MESSAGE_MAX)
        send_message(w);
    log_process_add(&w->message, stream, t, p, n);
    w->message_bytes += n;
}

static void add_record(struct log_writer *w, int stream, struct timespec t, const char *time_text, const char *p, size_t n) {
    if (w->process)
        hand_over(w, stream, t, p, n);
    else
        record_now(w, stream, t, time_text, p, n);
}

bool log_is_stalled(const struct log_writer *w) {
    return w && w->waiting.size > 0;
}

int log_process_socket(const struct log_writer *w) {
    return log_process_fd(w->process);
}

void log_go_on(struct log_writer *w) {
    size_t used = 0;

    while (w && used < w->waiting.size) {
        size_t size;
        int r;

        memcpy(&size, w->waiting.data + used, sizeof(size));
        r = log_process_send(w->process, w->waiting.data + used + sizeof(size), size);
        if (r == -EAGAIN)
            break;
        if (r < 0) {
            w->lost_bytes += size;
            w->lost_errno = r;
        }
        used += sizeof(size) + size;
    }
    if (w && used == w->waiting.size)
        buf_release(&w->waiting);
    else if (w)
        buf_consume(&w->waiting, used);
}

/* Says in the log itself what is missing from it, as soon as there is room again. */
static void tell_losses(struct log_writer *w) {
    char text[160];
    uint64_t lost = w->lost_bytes;

    if (!lost)
        return;
    (void)snprintf(text, sizeof(text), "tare: %llu bytes of log were lost here: %s\n", (unsigned long long)lost,
                   errno_text(w->lost_errno));
    w->lost_bytes = 0;
    add_record(w, 2, w->now, w->now_text, text, strlen(text));
    log_flush(w);
    if (w->lost_bytes) /* still no room */
        w->lost_bytes = w->process ? w->lost_bytes + lost - strlen(text) : lost;
}

static void partial_add(struct log_writer *w, struct partial *l, const char *p, size_t n) {
    if (n == 0)
        return;
    if (!l->data)
        l->data = malloc(LOG_LINE_MAX);
    if (!l->data)
        abort();
    if (l->size == 0 && !l->cut)
        l->since = w->now;
    memcpy(l->data + l->size, p, n);
    l->size += n;
}

static void partial_write(struct log_writer *w, int stream, struct partial *l) {
    char text[TIME_TEXT_MAX];

    time_format(l->since, text);
    add_record(w, stream, l->since, text, l->data, l->size);
    l->size = 0;
}

/* Goes on with an unfinished line. Returns how much of p[0..n) belongs to it. */
static size_t partial_go_on(struct log_writer *w, int stream, const char *p, size_t n) {
    struct partial *l = &w->partial[stream - 1];
    const char *newline;
    size_t room = LOG_LINE_MAX - l->size, take = MIN_OF(n, room);

    newline = memchr(p, '\n', take);
    if (newline)
        take = (size_t)(newline - p) + 1;
    partial_add(w, l, p, take);
    if (newline) {
        partial_write(w, stream, l);
        free(l->data);
        *l = (struct partial){0};
    } else if (l->size == LOG_LINE_MAX) {
        l->cut = true;
        partial_write(w, stream, l);
    }
    return take;
}

void log_write(struct log_writer *w, int stream, const char *p, size_t n) {
    const char *end = p + n;

    if (!w)
        return;
    w->now = clock_wall();
    time_format(w->now, w->now_text);
    tell_losses(w);
    while (p < end) {
        struct partial *l = &w->partial[stream - 1];
        size_t left = (size_t)(end - p);
        const char *newline;

        if (l->size || l->cut) {
            p += partial_go_on(w, stream, p, left);
            continue;
        }
        newline = memchr(p, '\n', MIN_OF(left, LOG_LINE_MAX));
        if (newline) {
            add_record(w, stream, w->now, w->now_text, p, (size_t)(newline - p) + 1);
            p = newline + 1;
        } else {
            p += partial_go_on(w, stream, p, left);
        }
    }
}

void log_flush(struct log_writer *w) {
    if (w && w->process)
        send_message(w);
    else if (w)
        write_batch(w);
}

void log_idle(struct log_writer *w) {
    if (w && w->message.size == 0)
        buf_release(&w->message);
    if (!w || (size_t)(w->high - w->batch) <= IDLE_KEEP)
        return;
    (void)madvise(w->batch + IDLE_KEEP, BATCH_SIZE - IDLE_KEEP, MADV_DONTNEED);
    w->high = w->end;
}

/* At the end nothing else is to be done: what has not gone over yet may take its time, but not for ever. */
static void wait_for_room(struct log_writer *w) {
    int64_t end = clock_monotonic_ns() + CLOSE_WAIT_NS;

    while (log_is_stalled(w) && clock_monotonic_ns() < end) {
        struct pollfd p = {.fd = log_process_fd(w->process), .events = POLLOUT};

        (void)poll(&p, 1, CLOSE_LOOK_MS);
        log_go_on(w);
    }
}

struct log_writer *log_close(struct log_writer *w) {
    if (!w)
        return NULL;
    for (int stream = 1; stream <= 2 && w->batch; stream++) {
        if (w->partial[stream - 1].size)
            partial_write(w, stream, &w->partial[stream - 1]);
        free(w->partial[stream - 1].data);
    }
    log_flush(w);
    wait_for_room(w);
    w->process = log_process_close(w->process);
    end_compressing(w, true);
    buf_release(&w->waiting);
    buf_release(&w->message);
    if (w->batch)
        (void)munmap(w->batch, BATCH_SIZE);
    w->remote = log_remote_close(w->remote);
    fd_close(w->fd);
    free(w);
    return NULL;
}
