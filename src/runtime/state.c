#include "runtime/state.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/lock.h"

#define STATE_SIZE_MAX   ((size_t)16 << 10)
#define STATE_FIRST_LINE "tare-state 1\n"

static const char *const status_names[] = {"created", "running", "paused", "restarting", "exited", "dead"};
static const char *const health_names[] = {"none", "starting", "healthy", "unhealthy"};

const char *status_text(enum container_status s) {
    return (size_t)s < ARRAY_SIZE(status_names) ? status_names[s] : "dead";
}

const char *health_text(enum health_status h) {
    return (size_t)h < ARRAY_SIZE(health_names) ? health_names[h] : "none";
}

/* The file's fields: one table for writing and reading. Unknown keys are passed over, so that a newer monitor may add some. */
enum kind { KIND_INT, KIND_U32, KIND_U64, KIND_BOOL, KIND_TIME, KIND_TEXT, KIND_STATUS, KIND_HEALTH };
static const struct state_field {
    const char *key;
    enum kind kind;
    size_t offset, room;
} fields[] = {
#define FIELD(member, kind)                                                                                                        \
    { #member, kind, offsetof(struct container_state, member), sizeof(((struct container_state *)0)->member) }
    FIELD(status, KIND_STATUS),     FIELD(pid, KIND_INT),          FIELD(pid_start_ticks, KIND_U64),
    FIELD(monitor_pid, KIND_INT),   FIELD(keeper_pid, KIND_INT),   FIELD(boot_id, KIND_TEXT),
    FIELD(started_at, KIND_TIME),   FIELD(finished_at, KIND_TIME), FIELD(exit_code, KIND_INT),
    FIELD(exit_unknown, KIND_BOOL), FIELD(oom_killed, KIND_BOOL),  FIELD(stopped_by_user, KIND_BOOL),
    FIELD(restart_count, KIND_U32), FIELD(health, KIND_HEALTH),    FIELD(health_failing_streak, KIND_U32),
    FIELD(error, KIND_TEXT),
#undef FIELD
};

static void field_write(const struct state_field *f, const void *p, struct buf *b) {
    char text[TIME_TEXT_MAX];

    switch (f->kind) {
    case KIND_INT:
        if (*(const int *)p)
            buf_printf(b, "%s %d\n", f->key, *(const int *)p);
        break;
    case KIND_U32:
        if (*(const uint32_t *)p)
            buf_printf(b, "%s %u\n", f->key, *(const uint32_t *)p);
        break;
    case KIND_U64:
        if (*(const uint64_t *)p)
            buf_printf(b, "%s %llu\n", f->key, (unsigned long long)*(const uint64_t *)p);
        break;
    case KIND_BOOL:
        if (*(const bool *)p)
            buf_printf(b, "%s 1\n", f->key);
        break;
    case KIND_TIME:
        if (((const struct timespec *)p)->tv_sec) {
            time_format(*(const struct timespec *)p, text);
            buf_printf(b, "%s %s\n", f->key, text);
        }
        break;
    case KIND_TEXT:
        if (*(const char *)p)
            buf_printf(b, "%s %s\n", f->key, (const char *)p);
        break;
    case KIND_STATUS: buf_printf(b, "%s %s\n", f->key, status_text(*(const enum container_status *)p)); break;
    case KIND_HEALTH:
        if (*(const enum health_status *)p)
            buf_printf(b, "%s %s\n", f->key, health_text(*(const enum health_status *)p));
        break;
    }
}

static int name_index(const char *const *names, size_t n, const char *value) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], value) == 0)
            return (int)i;
    return -1;
}

static void field_read(const struct state_field *f, const char *value, void *p) {
    int i;

    switch (f->kind) {
    case KIND_INT: *(int *)p = (int)strtol(value, NULL, 10); break;
    case KIND_U32: *(uint32_t *)p = (uint32_t)strtoul(value, NULL, 10); break;
    case KIND_U64: *(uint64_t *)p = strtoull(value, NULL, 10); break;
    case KIND_BOOL: *(bool *)p = strcmp(value, "1") == 0; break;
    case KIND_TIME: (void)time_parse(value, p); break;
    case KIND_TEXT: (void)snprintf(p, f->room, "%s", value); break;
    case KIND_STATUS:
        i = name_index(status_names, ARRAY_SIZE(status_names), value);
        *(enum container_status *)p = i < 0 ? STATUS_DEAD : (enum container_status)i;
        break;
    case KIND_HEALTH:
        i = name_index(health_names, ARRAY_SIZE(health_names), value);
        *(enum health_status *)p = i < 0 ? HEALTH_NONE : (enum health_status)i;
        break;
    }
}

static int write_to(int dirfd, const struct container_state *s, enum fs_sync sync, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_WITH_MAX(STATE_SIZE_MAX);

    buf_add_str(&b, STATE_FIRST_LINE);
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        size_t start = b.size;

        field_write(&fields[i], (const char *)s + fields[i].offset, &b);
        /* An error's text may hold newlines (what a user's own path brought in): one field stays one line. */
        for (size_t k = start; b.size && k + 1 < b.size; k++)
            if (b.data[k] == '\n')
                b.data[k] = ' ';
    }
    if (b.failed)
        return error_errno(e, -ENOMEM, "write the state");
    return fs_replace_at(dirfd, STATE_FILE, b.data, b.size, 0600, sync, e);
}

int state_write(int dirfd, const struct container_state *s, struct error *e) {
    return write_to(dirfd, s, FS_NO_SYNC, e);
}

int state_write_lasting(int dirfd, const struct container_state *s, struct error *e) {
    return write_to(dirfd, s, FS_SYNC, e);
}

static int state_parse(char *text, struct container_state *ret) {
    char *line, *save = NULL;

    *ret = (struct container_state){0};
    if (strncmp(text, STATE_FIRST_LINE, strlen(STATE_FIRST_LINE)) != 0)
        return -EINVAL;
    for (line = strtok_r(text + strlen(STATE_FIRST_LINE), "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *value = strchr(line, ' ');

        if (!value)
            continue;
        *value++ = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
            if (strcmp(fields[i].key, line) == 0)
                field_read(&fields[i], value, (char *)ret + fields[i].offset);
    }
    return 0;
}

/* Fields of /proc/PID/stat, counted from 1 as proc(5) does; the third (the state) on. Returns false when there is no such process.
 */
struct process_stat {
    char state;           /* field 3 */
    uint64_t start_ticks; /* field 22 */
    int wait_status;      /* field 52: of a zombie; 0 unless we may trace it */
};

static bool process_stat_read(pid_t pid, struct process_stat *ret) {
    char path[64], text[1024], *p;
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof(text) - 1);
    fd_close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    p = strrchr(text, ')'); /* the command's name may hold anything, also parentheses */
    if (!p || p[1] != ' ')
        return false;
    *ret = (struct process_stat){.state = p[2]};
    for (int field = 2; p; field++, p = strchr(p + 1, ' ')) {
        if (field == 21)
            ret->start_ticks = strtoull(p + 1 + strcspn(p + 1, " "), NULL, 10);
        else if (field == 51)
            ret->wait_status = (int)strtol(p + 1 + strcspn(p + 1, " "), NULL, 10);
    }
    return true;
}

uint64_t process_start_ticks(pid_t pid) {
    struct process_stat st;

    return process_stat_read(pid, &st) ? st.start_ticks : 0;
}

int process_zombie_status(pid_t pid, uint64_t start_ticks, int *ret_wait_status) {
    struct process_stat st;

    if (!process_stat_read(pid, &st) || st.start_ticks != start_ticks)
        return -ESRCH;
    if (st.state != 'Z' && st.state != 'X')
        return -EBUSY;
    *ret_wait_status = st.wait_status;
    return 0;
}

void boot_id_read(char id[40]) {
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, id, 39);

    fd_close(fd);
    id[n > 0 ? n : 0] = '\0';
    id[strcspn(id, "\n")] = '\0';
}

static int pidfd_open_(pid_t pid) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    return fd < 0 ? -errno : fd;
}

int state_open_pidfd(const struct container_state *s) {
    int fd;

    if (s->pid <= 0)
        return -ESRCH;
    fd = pidfd_open_(s->pid);
    if (fd < 0)
        return fd;
    /* The pidfd is taken first: from here on the number cannot come to mean another process unseen. */
    if (process_start_ticks(s->pid) != s->pid_start_ticks) {
        fd_close(fd);
        return -ESRCH;
    }
    return fd;
}

bool state_is_of_this_boot(const struct container_state *s) {
    char boot_id[40];

    boot_id_read(boot_id);
    return strcmp(boot_id, s->boot_id) == 0;
}

enum life { LIFE_GONE, LIFE_ZOMBIE, LIFE_LIVES };

/* Is PID 1 of the state alive in this boot? Asked only when it has no monitor: a zombie then is dead, and tells how it ended until
 * somebody reaps it. */
static enum life payload_life(const struct container_state *s, int *ret_wait_status) {
    struct process_stat st;

    if (s->pid <= 0 || !state_is_of_this_boot(s) || !process_stat_read(s->pid, &st) || st.start_ticks != s->pid_start_ticks)
        return LIFE_GONE;
    *ret_wait_status = st.wait_status;
    return st.state == 'Z' || st.state == 'X' ? LIFE_ZOMBIE : LIFE_LIVES;
}

pid_t state_monitor(int run_dirfd) {
    _cleanup_fd_ int fd = run_dirfd < 0 ? -1 : openat(run_dirfd, STATE_LOCK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    return fd < 0 ? 0 : lock_owner(fd);
}

static int read_one(int dirfd, struct container_state *ret, struct error *e) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    int r;

    if (dirfd < 0)
        return -ENOENT;
    r = fs_read_at(dirfd, STATE_FILE, STATE_SIZE_MAX, &b, NULL);
    if (r == -ENOENT)
        return r;
    if (r < 0)
        return error_errno(e, r, "read the state");
    if (!b.data || state_parse(b.data, ret) < 0) /* torn by a power cut: as if it had not been written */
        return -ENOENT;
    return 0;
}

static bool claims_life(const struct container_state *s) {
    return s->status == STATUS_RUNNING || s->status == STATUS_PAUSED || s->status == STATUS_RESTARTING;
}

const char state_unseen_end[] = "nobody saw how the container ended: its monitor was killed, or the machine was";

static void ended_unseen(struct container_state *s, enum life life, int wait_status) {
    s->status = STATUS_EXITED;
    s->pid = 0;
    if (life == LIFE_ZOMBIE) {
        s->exit_code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
        return;
    }
    s->exit_unknown = true;
    s->exit_code = STATE_EXIT_UNKNOWN;
    if (!s->error[0])
        (void)snprintf(s->error, sizeof(s->error), "%s", state_unseen_end);
}

/* What the file claims, corrected by what lives. */
static void correct(int run_dirfd, struct container_state *s) {
    int wait_status = 0;
    enum life life;

    if (!claims_life(s)) {
        s->monitor_pid = 0;
        s->pid = 0;
        return;
    }
    if (state_monitor(run_dirfd) != 0)
        return;
    s->monitor_pid = 0;
    if (s->status == STATUS_RESTARTING) { /* ended as the file says; nobody is left to start it again */
        s->status = STATUS_EXITED;
        return;
    }
    life = payload_life(s, &wait_status);
    if (life != LIFE_LIVES)
        ended_unseen(s, life, wait_status);
}

int state_read_claim(int run_dirfd, struct container_state *ret, struct error *e) {
    return read_one(run_dirfd, ret, e);
}

int state_read(int container_dirfd, int run_dirfd, struct container_state *ret, struct error *e) {
    struct container_state s;
    int r = read_one(run_dirfd, &s, e);

    if (r == 0 && claims_life(&s)) {
        /* A monitor that ends between our read and our look at its lock has written the end first: read again. */
        struct container_state before = s;

        correct(run_dirfd, &s);
        if (s.status != before.status) {
            r = read_one(run_dirfd, &s, e);
            if (r == 0)
                correct(run_dirfd, &s);
        }
    } else if (r == 0) {
        correct(run_dirfd, &s);
    }
    if (r == -ENOENT) {
        r = read_one(container_dirfd, &s, e);
        if (r == 0)
            correct(-1, &s);
    }
    if (r == -ENOENT) {
        s = (struct container_state){.status = STATUS_CREATED};
        r = 0;
    }
    if (r == 0)
        *ret = s;
    return r;
}

/* Reads dirfd/id/state in three calls. -ENOENT: there is none, or it is torn. */
static int claim_of(int dirfd, const char *id, struct container_state *ret) {
    char path[NAME_MAX + sizeof(STATE_FILE) + 1], text[STATE_SIZE_MAX + 1];
    _cleanup_fd_ int fd = -1;
    ssize_t n;

    (void)snprintf(path, sizeof(path), "%s/" STATE_FILE, id);
    fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    n = read(fd, text, sizeof(text));
    if (n < 0 || n == sizeof(text))
        return n < 0 ? -errno : -EFBIG;
    text[n] = '\0';
    return state_parse(text, ret) < 0 ? -ENOENT : 0;
}

enum state_glance state_glance(int containers_dirfd, int runs_dirfd, const char *id, struct container_state *ret) {
    char path[NAME_MAX + sizeof(STATE_LOCK_FILE) + 1];
    _cleanup_fd_ int lock = -1;
    bool ran = true;
    int r = claim_of(runs_dirfd, id, ret);

    if (r == -ENOENT) {
        ran = false;
        r = claim_of(containers_dirfd, id, ret);
    }
    if (r == -ENOENT)
        *ret = (struct container_state){.status = STATUS_CREATED};
    else if (r < 0)
        return GLANCE_UNSURE;
    if (!claims_life(ret)) {
        ret->monitor_pid = ret->pid = 0;
        return ran ? GLANCE_TRUE : GLANCE_NO_RUN;
    }
    if (!ran)
        return GLANCE_UNSURE;
    /* The state was read first: a monitor that holds the lock afterwards held it then, and what it had written was true. */
    (void)snprintf(path, sizeof(path), "%s/" STATE_LOCK_FILE, id);
    lock = openat(runs_dirfd, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    return lock >= 0 && lock_owner(lock) != 0 ? GLANCE_TRUE : GLANCE_UNSURE;
}
