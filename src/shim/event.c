/* Events go to containerd over its own ttrpc socket, one after the other: the next is sent when the one before was answered, so
 * they arrive in order. While containerd is away they wait here; the oldest are given up when there are too many. */
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/log.h"
#include "shim/messages.pb-c.h"
#include "shim/shim.h"
#include "shim/ttrpc.h"

#define EVENTS_MAX    512
#define RETRY_SECONDS 1

struct event {
    struct event *next;
    size_t size;
    unsigned char frame[];
};

static void drop_first(struct publisher *p) {
    struct event *first = p->first;

    p->first = first->next;
    if (!p->first)
        p->last = &p->first;
    p->n--;
    p->sent = false;
    p->written = 0;
    free(first);
}

/* What was written in part is written again from its beginning, on the next connection. */
static void lose(struct shim *s, struct publisher *p) {
    if (p->watch.fd >= 0)
        watch_remove(s, &p->watch);
    buf_release(&p->in);
    p->sent = false;
    p->written = 0;
    p->retry_at = p->first ? clock_monotonic_ns() / NS_PER_SEC + RETRY_SECONDS : 0;
}

static void send_first(struct shim *s, struct publisher *p) {
    while (p->first && !p->sent) {
        ssize_t n = send(p->watch.fd, p->first->frame + p->written, p->first->size - p->written, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (errno != EAGAIN)
                lose(s, p);
            else
                watch_change(s, &p->watch, EPOLLIN | EPOLLOUT);
            return;
        }
        p->written += (size_t)n;
        if (p->written == p->first->size) {
            p->sent = true;
            watch_change(s, &p->watch, EPOLLIN);
        }
    }
}

/* An event that is refused is not sent again: it would be refused again. */
static void take_answer(struct publisher *p, const struct ttrpc_frame *frame) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const Pb__Response *m = message_unpack(&pb__response__descriptor, frame->data, frame->size, &a);

    if (m && m->status && m->status->code != RPC_OK)
        log_warn("containerd refuses an event: %s", m->status->message);
    drop_first(p);
}

static void ready(struct shim *s, struct watch *w, uint32_t events) {
    struct publisher *p = (struct publisher *)w;
    struct ttrpc_frame frame;
    int r = events & EPOLLIN ? ttrpc_read(w->fd, &p->in) : events & (EPOLLHUP | EPOLLERR) ? -ECONNRESET : 0;

    while (r == 0 && (r = ttrpc_take_frame(&p->in, &frame)) > 0) {
        if (frame.type == TTRPC_RESPONSE && p->sent)
            take_answer(p, &frame);
        ttrpc_drop_frame(&p->in, &frame);
        r = 0;
    }
    if (r < 0)
        lose(s, p);
    else
        send_first(s, p);
}

static void connect_out(struct shim *s, struct publisher *p) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    p->retry_at = 0;
    if (strlen(s->ttrpc_address) >= sizeof(to.sun_path))
        return;
    memcpy(to.sun_path, s->ttrpc_address, strlen(s->ttrpc_address));
    p->watch = (struct watch){.fd = fd, .ready = ready};
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 || watch_add(s, &p->watch, EPOLLIN) < 0) {
        p->watch.fd = -1;
        lose(s, p);
        return;
    }
    (void)TAKE_FD(fd);
    send_first(s, p);
}

void events_tick(struct shim *s) {
    struct publisher *p = &s->publisher;

    if (p->first && p->watch.fd < 0 && clock_monotonic_ns() / NS_PER_SEC >= p->retry_at)
        connect_out(s, p);
}

static void queue(struct shim *s, const struct buf *frame) {
    struct publisher *p = &s->publisher;
    struct event *e = malloc(sizeof(*e) + frame->size);

    if (!e)
        abort();
    *e = (struct event){.size = frame->size};
    memcpy(e->frame, frame->data, frame->size);
    *p->last = e;
    p->last = &e->next;
    if (++p->n > EVENTS_MAX && !p->sent && p->written == 0) {
        log_warn("containerd does not take events: the oldest of %d is given up", EVENTS_MAX);
        drop_first(p);
    }
    if (p->watch.fd >= 0)
        send_first(s, p);
    else
        events_tick(s);
}

static void publish(struct shim *s, const char *topic, const char *type, const ProtobufCMessage *m) {
    _cleanup_buf_ struct buf event = BUF_INIT, payload = BUF_INIT, frame = BUF_INIT;
    const struct timespec now = clock_wall();
    Pb__Timestamp at = PB__TIMESTAMP__INIT;
    Pb__Any any = PB__ANY__INIT;
    Pb__Envelope envelope = PB__ENVELOPE__INIT;
    Pb__ForwardRequest forward = PB__FORWARD_REQUEST__INIT;
    Pb__Request request = PB__REQUEST__INIT;
    Pb__KeyValue name = PB__KEY_VALUE__INIT, *metadata[] = {&name};

    at.seconds = now.tv_sec;
    at.nanos = (int32_t)now.tv_nsec;
    message_pack(m, &event);
    any.type_url = (char *)(uintptr_t)type;
    any.value = (ProtobufCBinaryData){event.size, (uint8_t *)event.data};
    envelope.timestamp = &at;
    envelope.namespace_ = (char *)(uintptr_t)s->namespace_;
    envelope.topic = (char *)(uintptr_t)topic;
    envelope.event = &any;
    forward.envelope = &envelope;
    message_pack(&forward.base, &payload);
    request.service = (char *)(uintptr_t) "containerd.services.events.ttrpc.v1.Events";
    request.method = (char *)(uintptr_t) "Forward";
    request.payload = (ProtobufCBinaryData){payload.size, (uint8_t *)payload.data};
    name.key = (char *)(uintptr_t) "containerd-namespace-ttrpc";
    name.value = (char *)(uintptr_t)s->namespace_;
    request.n_metadata = 1;
    request.metadata = metadata;
    ttrpc_add_frame(s->publisher.stream, TTRPC_REQUEST, &request.base, &frame);
    s->publisher.stream += 2; /* a client's streams are odd */
    queue(s, &frame);
}

void event_create(struct shim *s, struct container *c) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const Pb__CreateRequest *asked = message_unpack(&pb__create_request__descriptor, c->asked.data, c->asked.size, &a);
    Pb__TaskCreate m = PB__TASK_CREATE__INIT;
    Pb__TaskIO io = PB__TASK_IO__INIT;

    io.stdin_uri = c->first.io.uri[STREAM_IN];
    io.stdout_uri = c->first.io.uri[STREAM_OUT];
    io.stderr_uri = c->first.io.uri[STREAM_ERR];
    io.terminal = c->first.io.terminal;
    m.container_id = c->id;
    m.bundle = c->bundle;
    if (asked) {
        m.n_rootfs = asked->n_rootfs;
        m.rootfs = asked->rootfs;
    }
    m.io = &io;
    m.pid = (uint32_t)c->first.pid;
    buf_release(&c->asked);
    publish(s, "/tasks/create", "containerd.events.TaskCreate", &m.base);
}

void event_start(struct shim *s, const struct process *p) {
    if (p->exec_id) {
        Pb__TaskExec m = PB__TASK_EXEC__INIT;

        m.container_id = p->container->id;
        m.exec_id = p->exec_id;
        m.pid = (uint32_t)p->pid;
        publish(s, "/tasks/exec-started", "containerd.events.TaskExecStarted", &m.base);
    } else {
        Pb__TaskStart m = PB__TASK_START__INIT;

        m.container_id = p->container->id;
        m.pid = (uint32_t)p->pid;
        publish(s, "/tasks/start", "containerd.events.TaskStart", &m.base);
    }
}

void event_exec_added(struct shim *s, const struct process *p) {
    Pb__TaskExec m = PB__TASK_EXEC__INIT;

    m.container_id = p->container->id;
    m.exec_id = p->exec_id;
    publish(s, "/tasks/exec-added", "containerd.events.TaskExecAdded", &m.base);
}

void event_exit(struct shim *s, const struct process *p) {
    Pb__TaskExit m = PB__TASK_EXIT__INIT;
    Pb__Timestamp at = process_exit_time(p);

    if (p->container->pod)
        return;
    m.container_id = p->container->id;
    m.id = p->exec_id ? p->exec_id : p->container->id;
    m.pid = (uint32_t)p->pid;
    m.exit_status = (uint32_t)p->exit_status;
    m.exited_at = &at;
    publish(s, "/tasks/exit", "containerd.events.TaskExit", &m.base);
}

void event_delete(struct shim *s, const struct process *p) {
    Pb__TaskDelete m = PB__TASK_DELETE__INIT;
    Pb__Timestamp at = process_exit_time(p);

    m.container_id = p->container->id;
    m.pid = (uint32_t)p->pid;
    m.exit_status = (uint32_t)p->exit_status;
    m.exited_at = &at;
    publish(s, "/tasks/delete", "containerd.events.TaskDelete", &m.base);
}

void event_container(struct shim *s, const char *topic, const char *type, const struct container *c) {
    Pb__TaskId m = PB__TASK_ID__INIT;

    m.container_id = c->id;
    publish(s, topic, type, &m.base);
}
