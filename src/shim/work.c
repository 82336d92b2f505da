/* What is done in a fork of the shim: the OCI runtime's verbs, by the same functions as `tare oci`. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fd_message.h"
#include "base/fs.h"
#include "kernel/cgroup.h"
#include "oci/oci.h"
#include "shim/messages.pb-c.h"
#include "shim/shim.h"

#define ARGS_MAX 16

struct errand {
    const struct shim *s;
    const struct job *j;
    const void *request;
    int channel;
    struct arena arena;
    const char *root; /* of the states */
    const char *argv[ARGS_MAX];
    int argc;
    struct list mounts; /* of the pod, for a container of it: struct oci_mount */
    struct buf payload; /* of the answer */
};

void job_say(int channel, enum job_word word, int value, int fd, const void *bytes, size_t n) {
    static struct job_message m;
    FD_ROOM(1) room = {0};
    struct iovec part = {.iov_base = &m};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

    n = MIN_OF(n, sizeof(m.bytes) - 1);
    m.word = (int32_t)word;
    m.value = value;
    if (n > 0)
        memcpy(m.bytes, bytes, n);
    part.iov_len = offsetof(struct job_message, bytes) + n;
    fd_message_put(&header, &room, &fd, fd >= 0);
    if (sendmsg(channel, &header, MSG_NOSIGNAL) < 0) /* the shim was killed: so is what this job was to tell of */
        _exit(EXIT_ENGINE);
}

/* Told before the process is let go, so that the shim knows it before it can end. */
static void born(void *arg, int pid, int console_fd) {
    job_say(*(int *)arg, JOB_PID, pid, console_fd, NULL, 0);
}

static void add(struct errand *d, const char *word) {
    if (d->argc < ARGS_MAX)
        d->argv[d->argc++] = word;
}

/* The verb with the words added, on the container. */
static int call_oci(struct errand *d, struct error *e) {
    struct oci_call call = {.born = born, .born_arg = &d->channel, .mounts = d->mounts, .keeper = d->j->kind == JOB_POD};

    add(d, d->j->container->id);
    return oci_call(d->argc, d->argv, &call, e);
}

static void begin_verb(struct errand *d, const char *verb) {
    d->argc = 0;
    add(d, "--root");
    add(d, d->root);
    add(d, verb);
}

static int simple_verb(struct errand *d, const char *verb, struct error *e) {
    begin_verb(d, verb);
    return call_oci(d, e);
}

static int open_container(struct errand *d, struct oci_call *call, struct oci_container *c, struct error *e) {
    call->o.root = d->root;
    return oci_container_open(call, d->j->container->id, c, e);
}

/* A document that came in a message, as a file that the verb can open. */
static const char *document(struct errand *d, const void *p, size_t n, struct error *e) {
    int fd = memfd_create("document", MFD_CLOEXEC);

    if (fd < 0 || fs_write_all(fd, p, n) < 0) {
        error_errno(e, -errno, "pass the document on");
        return NULL;
    }
    return arena_printf(&d->arena, "/proc/self/fd/%d", fd);
}

/* ---- create ---- */

/* For `delete`. A container that joins the sandbox of a shim comes without a call of `start`. */
static int save_places(struct errand *d, struct error *e) {
    _cleanup_fd_ int bundle = fs_open_dir(AT_FDCWD, d->j->container->bundle, e);
    struct sockaddr_un at = {0};
    socklen_t n = sizeof(at) - 1;
    const char *address;
    int r = bundle < 0 ? bundle : fs_replace_at(bundle, SHIM_ROOT_FILE, d->root, strlen(d->root), 0600, FS_NO_SYNC, e);

    if (r < 0 || getsockname(SHIM_LISTEN_FD, (struct sockaddr *)&at, &n) < 0 || at.sun_path[0] != '/')
        return r;
    address = arena_printf(&d->arena, "unix://%s", at.sun_path);
    return fs_replace_at(bundle, SHIM_ADDRESS_FILE, address, strlen(address), 0600, FS_NO_SYNC, e);
}

static int read_options(struct errand *d, const Pb__CreateRequest *m, const Pb__Options **ret, struct error *e) {
    const Pb__Options *o;
    int r = options_read(m->options, &d->arena, &o, e);

    if (r < 0)
        return r;
    if (*o->binary_name && !strstr(o->binary_name, "tare-oci"))
        return error_hint((error_set(e, -EINVAL, "BinaryName: %s is another runtime", o->binary_name), e),
                          "this shim is the runtime itself; io.containerd.runc.v2 is the one that calls programs");
    *ret = o;
    return 0;
}

static int create_verb(struct errand *d, const char *bundle, const Pb__Options *o, struct error *e) {
    d->argc = 0;
    if (o->systemd_cgroup)
        add(d, "--systemd-cgroup");
    add(d, "--root");
    add(d, d->root);
    add(d, "create");
    add(d, "--bundle");
    add(d, bundle);
    if (o->no_pivot_root)
        add(d, "--no-pivot");
    if (o->no_new_keyring)
        add(d, "--no-new-keyring");
    return call_oci(d, e);
}

static int mount_rootfs(struct errand *d, const Pb__CreateRequest *m, struct error *e) {
    struct shim_mount *mounts = arena_array(&d->arena, struct shim_mount, m->n_rootfs + 1);

    for (size_t i = 0; i < m->n_rootfs; i++) {
        mounts[i] = (struct shim_mount){.type = m->rootfs[i]->type, .source = m->rootfs[i]->source};
        if (*m->rootfs[i]->target)
            return error_set(e, -ENOTSUP, "rootfs: a mount below the root (%s) is not supported", m->rootfs[i]->target);
        for (size_t k = 0; k < m->rootfs[i]->n_options; k++)
            strs_add(&d->arena, &mounts[i].options, m->rootfs[i]->options[k]);
    }
    return rootfs_mount(m->bundle, mounts, m->n_rootfs, e);
}

static int tell_facts(struct errand *d, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    struct cgroup_layout layout;
    struct oci_call call = {0};
    struct oci_spec spec;
    const struct oci_namespace *pids;
    int fd, r = open_container(d, &call, &c, e);

    if (r == 0)
        r = oci_container_config(&call, &c, &spec, e);
    if (r < 0)
        return r;
    pids = oci_spec_namespace(&spec, "pid");
    job_say(d->channel, JOB_FACTS, pids && !(pids->path && *pids->path) ? JOB_OWN_PIDS : 0, -1, NULL, 0);
    if (c.state.own.cgroup && cgroup_layout_read(&layout, NULL) == 0) {
        fd = cgroup_oom_notifier(&layout, c.state.own.cgroup, NULL);
        if (fd >= 0)
            job_say(d->channel, JOB_OOM, 0, fd, NULL, 0);
    }
    return 0;
}

static int do_create(struct errand *d, struct error *e) {
    const Pb__CreateRequest *m = d->request;
    const Pb__Options *o = NULL;
    int r = read_options(d, m, &o, e);

    if (r == 0)
        r = save_places(d, e);
    if (r == 0)
        r = mount_rootfs(d, m, e);
    if (r < 0)
        return r;
    for (const struct container *c = d->s->containers; c; c = c->next)
        if (c->pod)
            pod_mounts(c->bundle, &d->arena, &d->mounts);
    r = stdio_enter(d->j->container, &d->j->process->io, d->channel, e);
    if (r == 0)
        r = create_verb(d, m->bundle, o, e);
    if (r == 0)
        r = tell_facts(d, e);
    if (r < 0)
        (void)rootfs_unmount(m->bundle, NULL);
    return r;
}

/* ---- What keeps a pod ---- */

static int do_pod(struct errand *d, struct error *e) {
    const Pb__CreateSandboxRequest *m = d->request;
    int r = save_places(d, e);

    if (r == 0)
        r = pod_prepare(m, d->j->container->id, d->s->systemd_cgroup, &d->arena, e);
    if (r == 0)
        r = stdio_enter(d->j->container, &d->j->process->io, d->channel, e);
    if (r == 0)
        r = create_verb(d, m->bundle, &(Pb__Options){.systemd_cgroup = d->s->systemd_cgroup}, e);
    if (r == 0)
        r = simple_verb(d, "start", e);
    return r;
}

/* ---- The others ---- */

static int do_exec(struct errand *d, struct error *e) {
    struct process *p = d->j->process;
    const char *path = document(d, p->document, p->document_size, e);
    int r = path ? stdio_enter(d->j->container, &p->io, d->channel, e) : -EIO;

    if (r < 0)
        return r;
    begin_verb(d, "exec");
    add(d, "--detach");
    if (p->io.terminal)
        add(d, "--tty");
    add(d, "--process");
    add(d, path);
    return call_oci(d, e);
}

static int do_delete(struct errand *d, struct error *e) {
    int r;

    begin_verb(d, "delete");
    add(d, "--force");
    r = call_oci(d, e);
    if (r == 0)
        r = rootfs_unmount(d->j->container->bundle, e);
    return r < 0 || !d->j->container->pod ? r : pod_unmount(d->j->container->bundle, e);
}

static int do_start(struct errand *d, struct error *e) {
    return simple_verb(d, "start", e);
}

static int do_pause(struct errand *d, struct error *e) {
    return simple_verb(d, "pause", e);
}

static int do_resume(struct errand *d, struct error *e) {
    return simple_verb(d, "resume", e);
}

static int do_kill_all(struct errand *d, struct error *e) {
    const Pb__KillRequest *m = d->request;

    begin_verb(d, "kill");
    add(d, "--all");
    add(d, d->j->container->id);
    d->argv[d->argc] = arena_printf(&d->arena, "%u", m ? m->signal : 9U);
    return oci_call(d->argc + 1, d->argv, &(struct oci_call){0}, e);
}

static int do_update(struct errand *d, struct error *e) {
    const Pb__UpdateRequest *m = d->request;
    const char *path;

    if (!m->resources)
        return error_set(e, -EINVAL, "update without resources");
    path = document(d, m->resources->value.data, m->resources->value.len, e);
    if (!path)
        return -EIO;
    begin_verb(d, "update");
    add(d, "--resources");
    add(d, path);
    return call_oci(d, e);
}

static void pack_stats(struct errand *d, Pb__Any *any) {
    Pb__SandboxMetricsResponse of_pod = PB__SANDBOX_METRICS_RESPONSE__INIT;
    Pb__StatsResponse of_task = PB__STATS_RESPONSE__INIT;
    Pb__Metric metric = PB__METRIC__INIT;
    Pb__Timestamp at = PB__TIMESTAMP__INIT;

    at.seconds = clock_wall().tv_sec;
    metric.timestamp = &at;
    metric.id = d->j->container->id;
    metric.data = any;
    of_pod.metrics = &metric;
    of_task.stats = any;
    message_pack(d->j->container->pod ? &of_pod.base : &of_task.base, &d->payload);
}

static int do_stats(struct errand *d, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    struct oci_call call = {0};
    Pb__Any any;
    int r = open_container(d, &call, &c, e);

    if (r < 0)
        return r;
    if (!c.state.own.cgroup)
        return error_set(e, -ESRCH, "container not running");
    r = stats_make(c.state.own.cgroup, &d->arena, &any, e);
    if (r == 0)
        pack_stats(d, &any);
    return r;
}

static const char *exec_id_of(const struct container *c, pid_t pid) {
    for (const struct process *p = c->processes; p; p = p->next)
        if (p->pid == pid && p->exec_id)
            return p->exec_id;
    return NULL;
}

static int do_pids(struct errand *d, struct error *e) {
    _cleanup_oci_container_ struct oci_container c = OCI_CONTAINER_INIT;
    Pb__PidsResponse response = PB__PIDS_RESPONSE__INIT;
    struct cgroup_layout layout;
    struct oci_call call = {0};
    struct list pids = {0};
    int r = open_container(d, &call, &c, e);

    if (r == 0)
        r = c.state.own.cgroup ? cgroup_layout_read(&layout, e) : error_set(e, -ESRCH, "container not running");
    if (r == 0)
        r = cgroup_pids(&layout, c.state.own.cgroup, &d->arena, &pids, e);
    if (r < 0)
        return r;
    response.processes = arena_array(&d->arena, Pb__ProcessInfo *, pids.n + 1);
    for (size_t i = 0; i < pids.n; i++) {
        Pb__ProcessInfo *info = arena_new(&d->arena, Pb__ProcessInfo);
        const char *exec_id = exec_id_of(d->j->container, *LIST_AT(pid_t, &pids, i));

        pb__process_info__init(info);
        info->pid = (uint32_t)*LIST_AT(pid_t, &pids, i);
        if (exec_id) {
            Pb__ProcessDetails details = PB__PROCESS_DETAILS__INIT;
            struct buf value = BUF_INIT;

            details.exec_id = (char *)(uintptr_t)exec_id;
            message_pack(&details.base, &value);
            info->info = arena_new(&d->arena, Pb__Any);
            pb__any__init(info->info);
            info->info->type_url = arena_strdup(&d->arena, "containerd.runc.v1.ProcessDetails");
            info->info->value = (ProtobufCBinaryData){value.size, (uint8_t *)value.data};
        }
        response.processes[response.n_processes++] = info;
    }
    message_pack(&response.base, &d->payload);
    return d->payload.size < JOB_BYTES_MAX ? 0 : error_set(e, -E2BIG, "the container has too many processes to list");
}

void work(const struct shim *s, const struct job *j, const void *request, int channel) {
    static int (*const errands[])(struct errand * d, struct error * e) = {
        [JOB_CREATE] = do_create, [JOB_START] = do_start,       [JOB_EXEC] = do_exec,     [JOB_DELETE] = do_delete,
        [JOB_PAUSE] = do_pause,   [JOB_RESUME] = do_resume,     [JOB_UPDATE] = do_update, [JOB_STATS] = do_stats,
        [JOB_PIDS] = do_pids,     [JOB_KILL_ALL] = do_kill_all, [JOB_POD] = do_pod,
    };
    struct errand d = {.s = s, .j = j, .request = request, .channel = channel};
    struct error e = ERROR_INIT;

    d.root = arena_printf(&d.arena, "%s/%s", j->container->root, s->namespace_);
    if (errands[j->kind](&d, &e) < 0) {
        char *why = error_sentence(&e);

        job_say(channel, JOB_FAILED, RPC_UNKNOWN, -1, why, strlen(why));
    } else {
        job_say(channel, JOB_DONE, 0, -1, d.payload.data, d.payload.size);
    }
}
