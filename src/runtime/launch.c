#include "runtime/launch.h"

#include <string.h>

#define LAUNCH_MAGIC 0x316e4c74u /* "tLn1" */

/* Host byte order: the blob never leaves the machine, nor the boot. */
struct launch_header {
    uint32_t magic;
    uint32_t role;
    uint32_t fd_mask;
    uint32_t reserved;
};
struct launch_item {
    uint16_t tag;
    uint16_t reserved;
    uint32_t size; /* without padding to 8 */
};

enum kind { KIND_BOOL, KIND_U32, KIND_U64, KIND_STR, KIND_BLOB /* a pointer, and a size_t behind it */ };
struct launch_field {
    uint16_t tag; /* never used anew for something else */
    enum kind kind;
    size_t offset;
};

#define FIELD(tag, type, member, kind)                                                                                             \
    { tag, kind, offsetof(struct type, member) }
static const struct launch_field container_fields[] = {
    FIELD(1, monitor_launch, id, KIND_STR),
    FIELD(2, monitor_launch, name, KIND_STR),
    FIELD(3, monitor_launch, plan, KIND_BLOB),
    FIELD(4, monitor_launch, tty, KIND_BOOL),
    FIELD(5, monitor_launch, open_stdin, KIND_BOOL),
    FIELD(6, monitor_launch, stdin_once, KIND_BOOL),
    FIELD(7, monitor_launch, attached, KIND_BOOL),
    FIELD(8, monitor_launch, attach_stdin, KIND_BOOL),
    FIELD(9, monitor_launch, attach_stdout, KIND_BOOL),
    FIELD(10, monitor_launch, attach_stderr, KIND_BOOL),
    FIELD(11, monitor_launch, auto_remove, KIND_BOOL),
    FIELD(12, monitor_launch, rows, KIND_U32),
    FIELD(13, monitor_launch, cols, KIND_U32),
    FIELD(14, monitor_launch, restart, KIND_U32),
    FIELD(15, monitor_launch, restart_max, KIND_U32),
    FIELD(16, monitor_launch, restart_count, KIND_U32),
    FIELD(17, monitor_launch, stop_signal, KIND_U32),
    FIELD(18, monitor_launch, stop_timeout_s, KIND_U32),
    FIELD(19, monitor_launch, log.driver, KIND_U32),
    FIELD(20, monitor_launch, log.size_max, KIND_U64),
    FIELD(21, monitor_launch, log.files_max, KIND_U32),
    FIELD(22, monitor_launch, log.attrs, KIND_STR),
    FIELD(23, monitor_launch, log.tag, KIND_STR),
    FIELD(24, monitor_launch, log.address, KIND_STR),
    FIELD(25, monitor_launch, log.facility, KIND_U32),
    FIELD(26, monitor_launch, health.plan, KIND_BLOB),
    FIELD(27, monitor_launch, health.interval_ns, KIND_U64),
    FIELD(28, monitor_launch, health.timeout_ns, KIND_U64),
    FIELD(29, monitor_launch, health.start_period_ns, KIND_U64),
    FIELD(30, monitor_launch, health.start_interval_ns, KIND_U64),
    FIELD(31, monitor_launch, health.retries, KIND_U32),
    FIELD(32, monitor_launch, health.action, KIND_U32),
    FIELD(33, monitor_launch, cgroup, KIND_STR),
    FIELD(34, monitor_launch, event_attributes, KIND_STR),
    FIELD(35, monitor_launch, break_stdout, KIND_BOOL),
    FIELD(36, monitor_launch, break_stderr, KIND_BOOL),
    FIELD(37, monitor_launch, image, KIND_STR),
    FIELD(38, monitor_launch, publishes, KIND_BOOL),
    FIELD(39, monitor_launch, holder_program, KIND_STR),
    FIELD(40, monitor_launch, log.compressor, KIND_STR),
    FIELD(41, monitor_launch, log.no_file, KIND_BOOL),
    FIELD(42, monitor_launch, log.non_blocking, KIND_BOOL),
    FIELD(43, monitor_launch, log.buffer_size, KIND_U64),
    FIELD(44, monitor_launch, log.fields, KIND_BLOB),
    FIELD(45, monitor_launch, log.format, KIND_U32),
    FIELD(46, monitor_launch, n_sockets, KIND_U32),
    FIELD(47, monitor_launch, n_watched, KIND_U32),
};
static const struct launch_field exec_fields[] = {
    FIELD(1, monitor_exec, id, KIND_STR),
    FIELD(3, monitor_exec, plan, KIND_BLOB),
    FIELD(4, monitor_exec, tty, KIND_BOOL),
    FIELD(5, monitor_exec, open_stdin, KIND_BOOL),
    FIELD(7, monitor_exec, attached, KIND_BOOL),
    FIELD(8, monitor_exec, attach_stdin, KIND_BOOL),
    FIELD(9, monitor_exec, attach_stdout, KIND_BOOL),
    FIELD(10, monitor_exec, attach_stderr, KIND_BOOL),
    FIELD(12, monitor_exec, rows, KIND_U32),
    FIELD(13, monitor_exec, cols, KIND_U32),
    FIELD(33, monitor_exec, cgroup, KIND_STR),
    FIELD(34, monitor_exec, event_attributes, KIND_STR),
    FIELD(35, monitor_exec, break_stdout, KIND_BOOL),
    FIELD(36, monitor_exec, break_stderr, KIND_BOOL),
    FIELD(37, monitor_exec, image, KIND_STR),
    FIELD(64, monitor_exec, pid, KIND_U32),
    FIELD(65, monitor_exec, pid_start_ticks, KIND_U64),
    FIELD(66, monitor_exec, exec_id, KIND_STR),
};
#undef FIELD

static void add_item(struct buf *out, uint16_t tag, const void *p, size_t n) {
    static const char zeros[8];
    struct launch_item item = {.tag = tag, .size = (uint32_t)n};

    buf_add(out, &item, sizeof(item));
    buf_add(out, p, n);
    buf_add(out, zeros, -n & 7);
}

static void encode(const struct launch_field *fields, size_t n_fields, const void *s, struct buf *out) {
    for (size_t i = 0; i < n_fields; i++) {
        const struct launch_field *f = &fields[i];
        const void *p = (const char *)s + f->offset;
        const void *pointer;
        size_t size;

        switch (f->kind) {
        case KIND_BOOL:
            if (*(const bool *)p)
                add_item(out, f->tag, "\1", 1);
            break;
        case KIND_U32: add_item(out, f->tag, p, 4); break;
        case KIND_U64: add_item(out, f->tag, p, 8); break;
        case KIND_STR:
            pointer = *(const char *const *)p;
            if (pointer)
                add_item(out, f->tag, pointer, strlen(pointer) + 1);
            break;
        case KIND_BLOB:
            pointer = *(const void *const *)p;
            size = *(const size_t *)(const void *)((const char *)p + sizeof(void *));
            if (pointer)
                add_item(out, f->tag, pointer, size);
            break;
        }
    }
}

static uint32_t mask_of(const int *fds) {
    uint32_t mask = 0;

    for (size_t i = 0; i < LAUNCH_FDS; i++)
        if (fds[i] >= 0)
            mask |= 1u << i;
    return mask;
}

void launch_set_fds(struct buf *blob, const int fds[LAUNCH_FDS]) {
    const uint32_t mask = mask_of(fds);

    if (blob->size >= sizeof(struct launch_header))
        memcpy(blob->data + offsetof(struct launch_header, fd_mask), &mask, sizeof(mask));
}

#define ROOM_BESIDE_PLAN 8192

static void encode_header(enum launch_role role, const int *fds, size_t plan_size, struct buf *out) {
    struct launch_header h = {.magic = LAUNCH_MAGIC, .role = role, .fd_mask = mask_of(fds)};

    out->max = LAUNCH_SIZE_MAX;
    if (plan_size < LAUNCH_SIZE_MAX - ROOM_BESIDE_PLAN)
        (void)buf_reserve(out, plan_size + ROOM_BESIDE_PLAN); /* at once: growing copies */
    buf_add(out, &h, sizeof(h));
}

void launch_encode(const struct monitor_launch *l, struct buf *out) {
    const int fds[LAUNCH_FDS] = {l->container_dirfd, l->run_dirfd, l->root_fd, l->run_root_fd, l->explain_fd, l->holder_fd};

    encode_header(LAUNCH_CONTAINER, fds, l->plan_size, out);
    encode(container_fields, ARRAY_SIZE(container_fields), l, out);
}

void launch_encode_exec(const struct monitor_exec *x, struct buf *out) {
    const int fds[LAUNCH_FDS] = {-1, x->run_dirfd, -1, x->run_root_fd, x->explain_fd, -1};

    encode_header(LAUNCH_EXEC, fds, x->plan_size, out);
    encode(exec_fields, ARRAY_SIZE(exec_fields), x, out);
}

static int decode_item(const struct launch_field *f, const char *data, size_t size, void *s) {
    void *p = (char *)s + f->offset;

    switch (f->kind) {
    case KIND_BOOL: *(bool *)p = size == 1 && data[0] == 1; return 0;
    case KIND_U32:
        if (size != 4)
            return -EPROTO;
        memcpy(p, data, 4);
        return 0;
    case KIND_U64:
        if (size != 8)
            return -EPROTO;
        memcpy(p, data, 8);
        return 0;
    case KIND_STR:
        if (size == 0 || memchr(data, '\0', size) != data + size - 1)
            return -EPROTO;
        *(const char **)p = data;
        return 0;
    case KIND_BLOB:
        *(const void **)p = data;
        *(size_t *)(void *)((char *)p + sizeof(void *)) = size;
        return 0;
    }
    return -EPROTO;
}

static int header_read(const void *p, size_t n, struct launch_header *ret) {
    if (n < sizeof(*ret))
        return -EPROTO;
    memcpy(ret, p, sizeof(*ret));
    return ret->magic == LAUNCH_MAGIC ? 0 : -EPROTO;
}

int launch_role(const void *p, size_t n) {
    struct launch_header h;

    return header_read(p, n, &h) < 0 ? -EPROTO : (int)h.role;
}

uint32_t launch_fd_mask(const void *p, size_t n) {
    struct launch_header h;

    return header_read(p, n, &h) < 0 ? 0 : h.fd_mask & ((1u << LAUNCH_FDS) - 1);
}

static int decode(const struct launch_field *fields, size_t n_fields, const void *blob, size_t n, enum launch_role role, void *s) {
    const char *p = blob;
    struct launch_header h;
    size_t at = sizeof(h);

    if (header_read(blob, n, &h) < 0 || h.role != role)
        return -EPROTO;
    while (at < n) {
        struct launch_item item;

        if (n - at < sizeof(item))
            return -EPROTO;
        memcpy(&item, p + at, sizeof(item));
        at += sizeof(item);
        if (n - at < item.size)
            return -EPROTO;
        for (size_t i = 0; i < n_fields; i++)
            if (fields[i].tag == item.tag && decode_item(&fields[i], p + at, item.size, s) < 0)
                return -EPROTO;
        at += item.size;
        at = MIN_OF(n, (at + 7) & ~(size_t)7);
    }
    return 0;
}

int launch_decode(const void *p, size_t n, struct monitor_launch *ret) {
    struct monitor_launch l = MONITOR_LAUNCH_INIT;

    if (decode(container_fields, ARRAY_SIZE(container_fields), p, n, LAUNCH_CONTAINER, &l) < 0 || !l.id || !l.plan)
        return -EPROTO;
    *ret = l;
    return 0;
}

int launch_decode_exec(const void *p, size_t n, struct monitor_exec *ret) {
    struct monitor_exec x = MONITOR_EXEC_INIT;

    if (decode(exec_fields, ARRAY_SIZE(exec_fields), p, n, LAUNCH_EXEC, &x) < 0 || !x.id || !x.plan)
        return -EPROTO;
    *ret = x;
    return 0;
}
