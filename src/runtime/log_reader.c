#include "runtime/log_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "runtime/frame.h"
#include "runtime/log_format.h"
#include "runtime/monitor_client.h"

#define FILES_MAX  1000 /* rotated files that are looked for */
#define BLOCK_SIZE ((size_t)64 << 10)
#define RECORD_MAX ((size_t)512 << 10) /* a line of json-file: the longest part, every byte escaped, and the attributes */
#define NAME_ROOM  160
#define TURN_TRIES 8

struct reader {
    const struct log_query *q;
    log_record_fn *fn;
    void *arg;
    int dirfd;
    char name[NAME_ROOM];
    struct buf room; /* what was read and not yet cut into records */
    int failed;      /* to inflate a file */
    struct error *why;
    int behind; /* files from the first that is read to the current one */
};

static bool is_json(const struct reader *r) {
    return r->q->driver == LOG_JSON_FILE;
}

static int compare(struct timespec a, struct timespec b) {
    return a.tv_sec != b.tv_sec ? (a.tv_sec < b.tv_sec ? -1 : 1) : a.tv_nsec < b.tv_nsec ? -1 : a.tv_nsec > b.tv_nsec;
}

static bool wanted(const struct reader *r, const struct log_record *record) {
    const struct log_query *q = r->q;

    if (record->stream == 2 ? !q->err : !q->out)
        return false;
    if (q->since.tv_sec && compare(record->time, q->since) < 0)
        return false;
    return !q->until.tv_sec || compare(record->time, q->until) <= 0;
}

/* The first record of p[0..n): bytes it takes; 0 = not whole. What is damaged is passed over (record->data stays NULL). */
static size_t cut(const struct reader *r, char *p, size_t n, struct log_record *ret) {
    ssize_t took;
    char *newline;

    *ret = (struct log_record){0};
    if (is_json(r)) {
        newline = memchr(p, '\n', n);
        if (!newline)
            return n > RECORD_MAX ? n : 0;
        (void)log_json_decode(p, (size_t)(newline - p), ret);
        return (size_t)(newline - p) + 1;
    }
    took = log_local_decode(p, n, ret);
    if (took < 0) { /* resynchronise: the next byte at which a record begins */
        *ret = (struct log_record){0};
        return 1;
    }
    return (size_t)took;
}

/* Hands out what is whole in room. */
static int hand_out(struct reader *r) {
    struct log_record record;
    size_t used = 0, took;
    int result = 0;

    while (result == 0 && used < r->room.size && (took = cut(r, r->room.data + used, r->room.size - used, &record)) > 0) {
        used += took;
        if (!record.data || !wanted(r, &record))
            continue;
        result = r->fn(&record, r->arg);
    }
    buf_consume(&r->room, used);
    return result;
}

/* Reads fd from where it stands to its end. */
static int read_on(struct reader *r, int fd, struct error *e) {
    for (;;) {
        ssize_t n;
        int result;

        if (!buf_reserve(&r->room, BLOCK_SIZE))
            return error_errno(e, -ENOMEM, "read the log");
        n = read(fd, r->room.data + r->room.size, BLOCK_SIZE - 1);
        if (n < 0)
            return error_errno(e, -errno, "read the log");
        if (n == 0)
            return 0;
        r->room.size += (size_t)n;
        result = hand_out(r);
        if (result)
            return result;
    }
}

/* ---- the tail ---- */

/* Of the row of files: 0 is the current one, 1 the one before… Some may have been compressed. */
static void name_nth(const struct reader *r, int nth, const char *more, char room[NAME_ROOM + 32]) {
    if (nth)
        (void)snprintf(room, NAME_ROOM + 32, "%s.%d%s", r->name, nth, more);
    else
        (void)snprintf(room, NAME_ROOM + 32, "%s", r->name);
}

static bool stat_nth(const struct reader *r, int nth, struct stat *ret, bool *compressed) {
    char name[NAME_ROOM + 32];

    name_nth(r, nth, "", name);
    *compressed = false;
    if (fstatat(r->dirfd, name, ret, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    name_nth(r, nth, ".gz", name);
    *compressed = true;
    return nth > 0 && fstatat(r->dirfd, name, ret, AT_SYMLINK_NOFOLLOW) == 0;
}

static int inflate(struct reader *r, int nth) {
    char name[NAME_ROOM + 32];
    _cleanup_fd_ int packed = -1;
    struct stat st;
    int fd;

    name_nth(r, nth, ".gz", name);
    packed = openat(r->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (packed < 0 || fstat(packed, &st) < 0)
        return -errno;
    fd = r->q->inflate ? r->q->inflate(r->dirfd, packed, r->q->inflate_arg, r->why) : -ENOTSUP;
    if (fd >= 0) { /* known by its time, in whichever form it is */
        const struct timespec times[2] = {st.st_mtim, st.st_mtim};

        (void)futimens(fd, times);
    } else if (r->failed == 0) {
        r->failed = fd;
    }
    return fd;
}

static int open_nth(struct reader *r, int nth) {
    char name[NAME_ROOM + 32];
    int fd;

    name_nth(r, nth, "", name);
    fd = openat(r->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 || nth == 0 ? fd : inflate(r, nth);
}

/* The nth, or the first after it that can be read: what is damaged is told at the end, and does not hide the rest. */
static int open_from(struct reader *r, int nth) {
    int fd = -1;

    for (; fd < 0 && nth >= 0; nth--)
        fd = open_nth(r, nth);
    return fd;
}

/* Records are counted backwards without decoding, unless streams or times are filtered: then only by decoding all of a block. */
static bool is_filtered(const struct log_query *q) {
    return !q->out || !q->err || q->until.tv_sec;
}

struct backwards {
    struct buf tail; /* the part of the file that was read, up to its end */
    off_t start;     /* where tail begins */
};

/* Goes back by one record from tail.data[*end]. Returns where it begins, -1 when more has to be read first. */
static ssize_t step_back(const struct reader *r, const struct backwards *b, size_t end) {
    const char *newline;
    ssize_t size;

    if (is_json(r)) {
        newline = end > 1 ? memrchr(b->tail.data, '\n', end - 1) : NULL;
        if (newline)
            return newline - b->tail.data + 1;
        return b->start == 0 ? 0 : -1;
    }
    size = log_local_last(b->tail.data, end);
    if (size > 0)
        return (ssize_t)end - size;
    return b->start == 0 ? 0 : -1;
}

static bool counts(const struct reader *r, const char *p, size_t n) {
    _cleanup_buf_ struct buf copy = BUF_INIT;
    struct log_record record = {0};

    if (!is_filtered(r->q))
        return true;
    buf_add(&copy, p, n);
    (void)cut(r, copy.data, copy.size, &record);
    return record.data && wanted(r, &record);
}

static int prepend(struct backwards *b, int fd) {
    size_t more = (size_t)MIN_OF((off_t)BLOCK_SIZE, b->start);
    struct buf joined = BUF_INIT;

    if (!buf_reserve(&joined, more + b->tail.size + 1))
        return -ENOMEM;
    if (pread(fd, joined.data, more, b->start - (off_t)more) != (ssize_t)more) {
        buf_release(&joined);
        return -EIO;
    }
    joined.size = more;
    if (b->tail.size)
        buf_add(&joined, b->tail.data, b->tail.size);
    buf_release(&b->tail);
    b->tail = joined;
    b->start -= (off_t)more;
    return 0;
}

/* Where the last *left wanted records of one file begin; *left is what is still missing. */
static off_t tail_in_file(struct reader *r, int fd, int64_t *left) {
    struct backwards b = {0};
    struct stat st;
    size_t end = 0;

    if (fstat(fd, &st) < 0)
        return 0;
    b.start = st.st_size;
    while (*left > 0 && (end > 0 || b.start > 0)) {
        ssize_t begin = end > 0 ? step_back(r, &b, end) : -1;

        if (begin >= 0) {
            if (counts(r, b.tail.data + begin, end - (size_t)begin))
                (*left)--;
            end = (size_t)begin;
            continue;
        }
        /* More of the file is needed; what is behind `end` is not any more. */
        b.tail.size = end;
        if (b.start == 0 || prepend(&b, fd) < 0)
            break;
        end = b.tail.size;
        if (is_json(r) && b.start + (off_t)end == st.st_size && end && b.tail.data[end - 1] != '\n') {
            const char *newline = memrchr(b.tail.data, '\n', end); /* a torn last line is no record */

            end = newline ? (size_t)(newline - b.tail.data) + 1 : end;
        }
    }
    st.st_size = b.start + (off_t)end;
    buf_release(&b.tail);
    return st.st_size;
}

/* Where reading begins: the oldest file, or the one with the first record of the tail. The row may turn meanwhile, so the file
 * stays open. -1: there is none yet. */
static int find_start(struct reader *r) {
    int64_t left = r->q->tail;
    int at = -1;

    struct stat st;
    bool compressed;

    if (r->q->tail < 0) {
        while (r->behind + 1 < FILES_MAX && stat_nth(r, r->behind + 1, &st, &compressed))
            r->behind++;
        return open_from(r, r->behind);
    }
    for (int i = 0; i < FILES_MAX; i++) {
        int fd;

        if (!stat_nth(r, i, &st, &compressed))
            break;
        fd = open_nth(r, i);
        if (fd < 0)
            continue;
        (void)fd_close(at);
        at = fd;
        r->behind = i;
        (void)lseek(fd, tail_in_file(r, fd, &left), SEEK_SET);
        if (left == 0)
            break;
    }
    return at;
}

/* ---- following ---- */

/* Waits until the file may have grown. 1: go on; 0: the container ended. */
static int wait_for_more(const struct reader *r, int notify_fd, int monitor_fd) {
    struct pollfd p[] = {
        {.fd = notify_fd, .events = POLLIN}, {.fd = monitor_fd, .events = POLLIN}, {.fd = r->q->stop_fd, .events = POLLIN}};
    char room[4096] __attribute__((aligned(8)));

    while (poll(p, ARRAY_SIZE(p), -1) < 0)
        if (errno != EINTR)
            return 0;
    if (p[0].revents)
        while (read(notify_fd, room, sizeof(room)) > 0)
            ;
    return !p[1].revents && !p[2].revents;
}

/* How far down the row our file has moved; where the row ends if it is gone. */
static int find_ours(const struct reader *r, const struct stat *ours) {
    int nth = 1;

    for (; nth < FILES_MAX; nth++) {
        struct stat there;
        bool compressed;

        if (!stat_nth(r, nth, &there, &compressed) || (there.st_ino == ours->st_ino && there.st_dev == ours->st_dev))
            break;
        if (there.st_mtim.tv_sec == ours->st_mtim.tv_sec && there.st_mtim.tv_nsec == ours->st_mtim.tv_nsec)
            break; /* compressed meanwhile, or by us inflated */
    }
    return nth;
}

/* The file after ours: the row may have turned several times. It may turn while we look, too. */
static int open_next(struct reader *r, const struct stat *ours) {
    for (int tries = 0; tries < TURN_TRIES; tries++) {
        int nth = find_ours(r, ours);
        _cleanup_fd_ int next = open_from(r, nth - 1);

        if (next >= 0 && find_ours(r, ours) == nth)
            return TAKE_FD(next);
    }
    return open_nth(r, 0);
}

/* Was the file turned over while we read it? Then the next one is opened, and the old one has been read to its end. */
static int reopen_if_turned(struct reader *r, int *fd, struct error *e) {
    _cleanup_fd_ int now = open_nth(r, 0);
    struct stat ours, current;
    int result;

    if (now < 0 || fstat(*fd, &ours) < 0 || fstat(now, &current) < 0)
        return 0;
    if (ours.st_ino == current.st_ino) {
        if (lseek(*fd, 0, SEEK_CUR) > current.st_size) { /* one file only: it begins anew */
            (void)lseek(*fd, 0, SEEK_SET);
            buf_clear(&r->room);
        }
        return 0;
    }
    result = read_on(r, *fd, e); /* what was written between our last look and the turn */
    if (result)
        return result;
    (void)fd_close(now);
    now = open_next(r, &ours);
    if (now < 0)
        return 0;
    fd_close(*fd);
    *fd = TAKE_FD(now);
    buf_clear(&r->room);
    return 1;
}

static int follow(struct reader *r, int *fd, int monitor_fd, int notify_fd, struct error *e) {
    for (bool goes_on = true;;) {
        int result = *fd < 0 ? 0 : read_on(r, *fd, e);

        if (result)
            return result;
        if (*fd < 0)
            *fd = open_nth(r, 0);
        else if ((result = reopen_if_turned(r, fd, e)) < 0)
            return result;
        if (result == 1)
            continue;
        if (!goes_on) /* the end was seen before this last look */
            return 0;
        goes_on = wait_for_more(r, notify_fd, monitor_fd);
    }
}

/* From where fd stands through all files that there were at the beginning: a flood has no end. *fd is then the last of them. */
static int read_files(struct reader *r, int *fd, struct error *e) {
    int result = *fd < 0 ? 0 : read_on(r, *fd, e);

    for (int i = 0; result == 0 && *fd >= 0 && i < r->behind; i++) {
        result = reopen_if_turned(r, fd, e);
        if (result <= 0)
            return result;
        result = read_on(r, *fd, e);
    }
    return result;
}

/* The monitor's connection tells when the container has ended: it sends one frame, or goes away. */
static int watch_monitor(int run_dirfd, struct monitor_conn *conn) {
    const uint32_t until = WAIT_NOT_RUNNING;
    _cleanup_buf_ struct buf b = BUF_INIT;
    int r = run_dirfd < 0 ? -ENOENT : monitor_connect(run_dirfd, conn, NULL);

    if (r < 0)
        return r;
    frame_add_u32s(&b, FRAME_WAIT, &until, 1);
    return frame_send(conn->fd, &b, NULL, 0);
}

int log_read(int container_dirfd, const struct log_query *q, log_record_fn *fn, void *arg, struct error *e) {
    struct reader r = {.q = q, .fn = fn, .arg = arg, .dirfd = container_dirfd, .why = e};
    _cleanup_monitor_conn_ struct monitor_conn conn = MONITOR_CONN_INIT;
    _cleanup_fd_ int fd = -1, notify = -1;
    bool follows = q->follow;
    char *path;
    int result;

    if (!log_file_name(q->driver, q->id, r.name, sizeof(r.name)))
        return error_set(e, -ENOTSUP, "configured logging driver does not support reading");
    if (follows) {
        /* Watch first, then read: nothing falls between. */
        follows = watch_monitor(q->run_dirfd, &conn) == 0;
        notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        path = fs_fd_path(container_dirfd);
        if (notify < 0 || !path || inotify_add_watch(notify, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM) < 0)
            follows = false;
        free(path);
    }
    fd = find_start(&r);
    result = read_files(&r, &fd, e);
    if (result == 0 && follows)
        result = follow(&r, &fd, conn.fd, notify, e);
    buf_release(&r.room);
    return result == 0 && r.failed < 0 ? r.failed : result;
}
