/* All layers of an image at once: the loop over their jobs. */
#include <poll.h>
#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "image/layer_job.h"

#define BUSY_WAIT_MS 25 /* between two looks at a layer that another process is bringing */
#define REPORT_NS    (NS_PER_SEC / 10)

struct loop {
    struct image_store *store;
    struct layer_job *jobs;
    size_t n;
    const struct blob_source *source;
    const struct image_progress *progress;
    struct arena *arena;
};

static unsigned cpu_count(void) {
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static void report(struct loop *l, struct layer_job *j, enum image_phase phase) {
    uint64_t size = j->task->blob.size, done = j->inflate.message.in_bytes;
    int64_t now = clock_monotonic_ns();

    if (!l->progress || !l->progress->layer || !j->shown)
        return;
    if (phase == j->phase && now - j->reported_ns < REPORT_NS)
        return;
    j->phase = phase;
    j->reported_ns = now;
    l->progress->layer(l->progress->arg, j->shown, phase, phase >= IMAGE_PHASE_EXTRACTING ? size : done, size);
}

/* --- lower layers ------------------------------------------------------------------------------------------------------------ */

static bool lowers_are_done(const struct layer_job *j) {
    for (j = j->below; j; j = j->below)
        if (j->state != JOB_DONE)
            return false;
    return true;
}

static int send_lowers(struct layer_job *j, struct error *e) {
    int fds[WORKER_LOWERS_MAX];
    size_t n = 0;

    for (const struct layer_job *b = j->below; b && n < WORKER_LOWERS_MAX; b = b->below) {
        fds[n++] = b->dir;
        if (b->task->opaque_root)
            break;
    }
    j->wants_lowers = false;
    return worker_send_lowers(&j->unpack, fds, n, e);
}

/* --- the loop ---------------------------------------------------------------------------------------------------------------- */

static size_t running(const struct loop *l) {
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++)
        n += l->jobs[i].state == JOB_RUNNING;
    return n;
}

/* Layers at work side by side do not know of each other: together they may pass the limit, by no more than one layer's each, before
 * the first of them to finish is refused. */
static int measure_room(const struct loop *l, uint64_t *ret_room, struct error *e) {
    uint64_t used = 0, max = l->store->limits.image_size_max;

    for (size_t i = 0; i < l->n; i++)
        used += l->jobs[i].state == JOB_DONE ? l->jobs[i].task->size : 0;
    if (used > max)
        return error_set(e, -EFBIG, "the image's layers are larger than %llu bytes when unpacked (image_size_max in tare.conf)",
                         (unsigned long long)max);
    *ret_room = MAX_OF(max - used, (uint64_t)1);
    return 0;
}

/* In order, so that what a layer rests on was always started before it, and no two processes can wait for each other. */
static int start_jobs(struct loop *l, bool *ret_blocked, struct error *e) {
    size_t max = l->store->limits.jobs_max ? l->store->limits.jobs_max : cpu_count() + 1;

    *ret_blocked = false;
    for (size_t i = 0; i < l->n; i++) {
        struct layer_job *j = &l->jobs[i];
        int r;

        if (j->state != JOB_WAITING)
            continue;
        if (running(l) >= max)
            return 0;
        r = measure_room(l, &j->room, e);
        if (r < 0)
            return r;
        r = layer_job_start(j, l->source, l->arena, e);
        if (r == -EAGAIN) {
            report(l, j, IMAGE_PHASE_WAITING);
            *ret_blocked = true;
            return 0;
        }
        if (r < 0)
            return error_wrap(e, r, "layer %zu of %zu", i + 1, l->n);
        report(l, j, j->state == JOB_DONE ? IMAGE_PHASE_EXISTS : IMAGE_PHASE_DOWNLOADING);
    }
    return 0;
}

static int take_messages(struct loop *l, struct layer_job *j, struct worker *w) {
    switch (worker_receive(w)) {
    case WORKER_EVENT_PROGRESS: report(l, j, IMAGE_PHASE_DOWNLOADING); break;
    case WORKER_EVENT_NEED_LOWERS: j->wants_lowers = true; break;
    case WORKER_EVENT_DONE:
        if (w == &j->inflate && w->message.status == 0)
            report(l, j, IMAGE_PHASE_EXTRACTING);
        break;
    }
    return 0;
}

static int advance(struct loop *l, struct layer_job *j, struct error *e) {
    int r = 0;

    if (j->wants_lowers && !j->unpack.done && lowers_are_done(j))
        r = send_lowers(j, e);
    if (r == 0 && j->inflate.done && j->unpack.done) {
        r = layer_job_finish(j, l->source, l->arena, e);
        if (r == -EAGAIN)
            return 0; /* start_jobs() goes on where it broke off */
        if (r == 0)
            report(l, j, IMAGE_PHASE_COMPLETE);
    }
    if (r < 0)
        return error_wrap(e, r, "layer %zu of %zu%s%s", j->index + 1, l->n, j->task->blob.digest ? " " : "",
                          j->task->blob.digest ? j->task->blob.digest : "");
    return 0;
}

static int wait_for_workers(struct loop *l, bool blocked, struct error *e) {
    struct pollfd fds[2 * IMAGE_LAYERS_MAX];
    struct {
        struct layer_job *job;
        struct worker *worker;
    } of[2 * IMAGE_LAYERS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        struct layer_job *j = &l->jobs[i];
        struct worker *both[] = {&j->inflate, &j->unpack};

        for (size_t k = 0; j->state == JOB_RUNNING && k < 2; k++)
            if (!both[k]->done) {
                of[n].job = j;
                of[n].worker = both[k];
                fds[n++] = (struct pollfd){.fd = both[k]->socket, .events = POLLIN};
            }
    }
    if (n == 0 && !blocked)
        return 0;
    if (poll(fds, n, blocked ? BUSY_WAIT_MS : -1) < 0 && errno != EINTR)
        return error_errno(e, -errno, "wait for the workers");
    for (size_t i = 0; i < n; i++)
        if (fds[i].revents)
            (void)take_messages(l, of[i].job, of[i].worker);
    return 0;
}

static bool all_done(const struct loop *l) {
    for (size_t i = 0; i < l->n; i++)
        if (l->jobs[i].state != JOB_DONE)
            return false;
    return true;
}

static int run_loop(struct loop *l, struct error *e) {
    uint64_t room;

    while (!all_done(l)) {
        bool blocked;
        int r = start_jobs(l, &blocked, e);

        if (r == 0 && !all_done(l))
            r = wait_for_workers(l, blocked, e);
        for (size_t i = 0; r == 0 && i < l->n; i++)
            if (l->jobs[i].state == JOB_RUNNING)
                r = advance(l, &l->jobs[i], e);
        if (r < 0)
            return r;
    }
    return measure_room(l, &room, e);
}

/* --- setting up -------------------------------------------------------------------------------------------------------------- */

static int prepare_job(struct loop *l, size_t i, struct layer_task *t, struct error *e) {
    struct layer_job *j = &l->jobs[i];
    char id[ID_LENGTH + 1];
    int r;

    *j = (struct layer_job){.store = l->store,
                            .task = t,
                            .below = i ? j - 1 : NULL,
                            .index = i,
                            .key_lock = -1,
                            .source_handle = -1,
                            .dir = -1,
                            .inflate = WORKER_INIT,
                            .unpack = WORKER_INIT,
                            .shown = t->blob.digest ? t->blob.digest : t->diff_id,
                            .phase = (enum image_phase) - 1};
    if (!t->diff_id) { /* named by its content once that is known */
        if (id_new(id) < 0)
            return error_errno(e, -EIO, "make an id");
        (void)snprintf(t->key, sizeof(t->key), "%.*s", LAYER_KEY_DIGITS, id);
    }
    r = layer_job_look(j, l->arena, e);
    if (r == 0 && j->state == JOB_DONE)
        report(l, j, IMAGE_PHASE_EXISTS);
    return r;
}

/* Before the first look: what is found to be there must still be there at the end. */
static int pin_parts(struct image_store *s, struct layer_task *tasks, size_t n, struct arena *a, struct error *e) {
    struct strs names = {NULL, 0};

    for (size_t i = 0; i < n; i++) {
        if (tasks[i].blob.digest)
            strs_add(a, &names, digest_hex(tasks[i].blob.digest));
        if (tasks[i].diff_id) {
            layer_chain_id(i ? tasks[i - 1].chain_id : NULL, tasks[i].diff_id, tasks[i].chain_id);
            layer_key(s, tasks[i].chain_id, &tasks[i].owners, tasks[i].key);
            strs_add(a, &names, arena_strdup(a, tasks[i].key));
        }
    }
    return ingest_pin(s, &names, e);
}

int layer_tasks_again(struct image_store *s, const struct image_record *record, struct arena *a, struct layer_task **ret,
                      struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    struct layer_task *tasks = arena_array(a, struct layer_task, record->blobs.n + 1);
    struct image_config config;
    int r = blob_read(s, record->config.digest, IMAGE_CONFIG_MAX, &text, e);

    if (r == 0)
        r = image_config_decode(buf_text(&text), text.size, a, &config, e);
    if (r == 0 && config.rootfs.diff_ids.n != record->blobs.n)
        r = error_set(e, -EINVAL, "the record and the configuration disagree about the number of layers");
    for (size_t i = 0; r == 0 && i < record->blobs.n; i++) {
        tasks[i] = (struct layer_task){.blob.digest = record->blobs.v[i], .diff_id = config.rootfs.diff_ids.v[i], .file = -1};
        (void)blob_exists(s, record->blobs.v[i], &tasks[i].blob.size);
    }
    if (r == 0)
        *ret = tasks;
    return r;
}

int layers_ingest(struct image_store *s, struct layer_task *tasks, size_t n, const struct blob_source *source,
                  const struct image_progress *progress, struct arena *a, struct error *e) {
    _cleanup_free_ struct layer_job *jobs = calloc(n ? n : 1, sizeof(*jobs));
    struct loop l = {s, jobs, 0, source, progress, a};
    int r;

    if (!jobs)
        abort();
    store_read_map(s);
    r = pin_parts(s, tasks, n, a, e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        l.n = i + 1;
        r = prepare_job(&l, i, &tasks[i], e);
    }
    if (r == 0)
        r = run_loop(&l, e);
    for (size_t i = 0; i < l.n; i++) {
        layer_job_abandon(&jobs[i], source);
        (void)fd_close(jobs[i].dir);
    }
    return r;
}
