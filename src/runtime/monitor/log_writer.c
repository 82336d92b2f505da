#include "runtime/monitor/log_writer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/id.h"
#include "runtime/log_format.h"
#include "runtime/monitor/log_socket.h"

#define BATCH_SIZE        ((size_t)256 << 10)
#define IDLE_KEEP         ((size_t)4096) /* of the batch that stays in memory */
#define SIZE_MAX_DEFAULT  ((uint64_t)10 << 20)
#define FILES_MAX_DEFAULT 3
#define FILES_MAX_LIMIT   1000
#define NAME_ROOM         128

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
    struct log_socket *socket; /* journald, syslog */
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

static bool is_file(const struct log_writer *w) {
    return w->options->driver == LOG_JSON_FILE || w->options->driver == LOG_LOCAL;
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
static off_t local_whole_end(int fd, off_t size, char *room, size_t room_size) {
    off_t at = 0;
    size_t tail = MIN_OF((size_t)size, LOG_LINE_MAX + 64);
    ssize_t n = pread(fd, room, tail, size - (off_t)tail);

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
                                                  : local_whole_end(w->fd, st.st_size, w->batch, BATCH_SIZE);
    if (whole < st.st_size && ftruncate(w->fd, whole) < 0)
        return error_errno(e, -errno, "cut a torn record off the log %s", name);
    w->file_size = (uint64_t)whole;
    return 0;
}

/* log → log.1 → … → log.(files_max - 1); with one file it begins anew. */
static void rotate(struct log_writer *w) {
    char name[NAME_ROOM], from[NAME_ROOM + 16], to[NAME_ROOM + 16];

    (void)log_file_name((enum log_driver)w->options->driver, w->id, name, sizeof(name));
    if (w->files_max == 1) {
        if (ftruncate(w->fd, 0) == 0)
            w->file_size = 0;
        return;
    }
    for (uint32_t i = w->files_max - 1; i > 0; i--) {
        if (i > 1)
            (void)snprintf(from, sizeof(from), "%s.%u", name, i - 1);
        else
            (void)snprintf(from, sizeof(from), "%s", name);
        (void)snprintf(to, sizeof(to), "%s.%u", name, i);
        /* Renaming over a file would make ext4 write the renamed one to the disk first (auto_da_alloc), in this call. */
        if (i == w->files_max - 1)
            (void)unlinkat(w->dirfd, to, 0);
        (void)renameat(w->dirfd, from, w->dirfd, to);
    }
    w->fd = fd_close(w->fd);
    if (open_file(w, NULL) < 0)
        w->fd = fd_close(w->fd);
}

int log_open(const struct monitor_log_options *options, int container_dirfd, const char *id, const char *name,
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
        r = is_file(w) ? open_file(w, e) : log_socket_open(options, id, name, &w->socket, e);
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

static void add_record(struct log_writer *w, int stream, struct timespec t, const char *time_text, const char *p, size_t n) {
    if (w->socket) {
        log_socket_send(w->socket, stream, t, p, n);
        return;
    }
    if ((size_t)(w->batch + BATCH_SIZE - w->end) < LOG_RECORD_ROOM(n, w->attrs_size))
        write_batch(w);
    if (w->file_size + (uint64_t)(w->end - w->batch) >= w->size_max) {
        write_batch(w);
        rotate(w);
    }
    if (w->options->driver == LOG_LOCAL)
        w->end = log_local_encode(w->end, stream, t, p, n);
    else
        w->end = log_json_encode(w->end, stream, time_text, w->options->attrs, p, n);
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
    write_batch(w);
    if (w->lost_bytes) /* still no room */
        w->lost_bytes = lost;
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
    if (w && !w->socket)
        write_batch(w);
}

void log_idle(struct log_writer *w) {
    if (!w || (size_t)(w->high - w->batch) <= IDLE_KEEP)
        return;
    (void)madvise(w->batch + IDLE_KEEP, BATCH_SIZE - IDLE_KEEP, MADV_DONTNEED);
    w->high = w->end;
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
    if (w->batch)
        (void)munmap(w->batch, BATCH_SIZE);
    log_socket_close(w->socket);
    fd_close(w->fd);
    free(w);
    return NULL;
}
