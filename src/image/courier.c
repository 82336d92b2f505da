#include "image/courier.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "kernel/confine.h"

#define REPORT_MAX 4096

struct courier {
    pid_t pid;  /* 0 = slot unused or reaped */
    int report; /* read end: code, text NUL hint NUL */
};

static void send_report(int fd, int code, const struct error *e) {
    _cleanup_buf_ struct buf out = BUF_WITH_MAX(REPORT_MAX);

    buf_add(&out, &code, sizeof code);
    buf_add_str(&out, e->text ? e->text : "");
    buf_add_char(&out, 0);
    buf_add_str(&out, e->hint ? e->hint : "");
    buf_add_char(&out, 0);
    (void)fs_write_all(fd, out.data, out.size);
}

/* The child. It keeps nothing of the parent's but the two pipes: an end of another layer's pipe left open here would keep that
 * layer's reader waiting for its end. */
_Noreturn static void run_courier(struct registry *r, const struct descriptor *blob, uint64_t offset, int out, int report,
                                  pid_t parent) {
    const int keep[] = {out, report};
    struct error e = ERROR_INIT;
    int code;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the line above */
        _exit(1);
    registry_forked(r);
    code = confine_close_others(keep, ARRAY_SIZE(keep), &e);
    if (code >= 0)
        code = registry_blob_stream(r, blob, offset, out, &e);
    send_report(report, code, &e);
    registry_free(r);
    _exit(0);
}

static struct courier *free_slot(struct couriers *c, int *ret_handle) {
    size_t i = 0;

    while (i < c->n && c->v[i].pid)
        i++;
    if (i == c->n) {
        c->v = realloc(c->v, (c->n + 1) * sizeof *c->v);
        if (!c->v)
            abort();
        c->v[c->n++] = (struct courier){.report = -1};
    }
    *ret_handle = (int)i;
    return &c->v[i];
}

static int start(void *arg, const struct descriptor *blob, uint64_t offset, int out, struct error *e) {
    struct couriers *c = arg;
    struct courier *courier;
    pid_t parent = getpid();
    int report[2], handle;

    if (pipe2(report, O_CLOEXEC) < 0) {
        int r = error_errno(e, -errno, "make a pipe");

        (void)fd_close(out);
        return r;
    }
    courier = free_slot(c, &handle);
    courier->pid = fork();
    if (!courier->pid)
        run_courier(c->registry, blob, offset, out, report[1], parent);
    (void)fd_close(out);
    (void)fd_close(report[1]);
    if (courier->pid < 0) {
        int r = error_errno(e, -errno, "start a courier");

        (void)fd_close(report[0]);
        courier->pid = 0;
        return r;
    }
    courier->report = report[0];
    return handle;
}

static int read_report(const struct courier *c, struct error *e) {
    _cleanup_buf_ struct buf in = BUF_INIT;
    const char *text, *hint;
    int code, r = fs_read_fd(c->report, REPORT_MAX + 64, &in, e);

    if (r < 0)
        return error_wrap(e, r, "the courier's report");
    if (in.size < sizeof code + 2)
        return error_set(e, -EIO, "the process that fetched it ended without a report");
    memcpy(&code, in.data, sizeof code);
    text = in.data + sizeof code;
    hint = text + strlen(text) + 1;
    if (code >= 0)
        return 0;
    error_set(e, code, "%s", text);
    if (hint < in.data + in.size && *hint)
        error_hint(e, "%s", hint);
    return code;
}

static int finish(void *arg, int handle, bool cancel, struct error *e) {
    struct couriers *c = arg;
    struct courier *courier = &c->v[handle];
    int r;

    if (cancel)
        (void)kill(courier->pid, SIGKILL);
    r = read_report(courier, cancel ? NULL : e);
    while (waitpid(courier->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *courier = (struct courier){.report = fd_close(courier->report)};
    return cancel ? 0 : r;
}

struct blob_source courier_source(struct couriers *c) {
    return (struct blob_source){.start = start, .finish = finish, .arg = c};
}

void couriers_release(struct couriers *c) {
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i].pid)
            (void)finish(c, (int)i, true, NULL);
    free(c->v);
    c->v = NULL;
    c->n = 0;
}
