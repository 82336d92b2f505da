/* Messages between our own programs, whose other end may be an older one, a compromised worker, or (D-Bus) somebody else's daemon:
 * frames, launch descriptions, plans, tare-fetch's requests and replies, the answers of systemd. The first byte chooses. */
#include "fuzz.h"
#include "image/fetch_wire.h"
#include "kernel/dbus.h"
#include "runtime/frame.h"
#include "runtime/launch.h"
#include "runtime/plan.h"

static void frames(const uint8_t *p, size_t n) {
    _cleanup_error_ struct error e = ERROR_INIT;
    struct frame f;
    ssize_t size = frame_parse(p, n, &f);

    if (size <= 0)
        return;
    FUZZ_MUST((size_t)size <= n && f.data + f.size <= p + n);
    (void)frame_u32(&f, f.size / sizeof(uint32_t), 0);
    FUZZ_MUST(frame_error(&f, &e) < 0 && e.text);
}

static void plans(const void *p, size_t n) {
    _cleanup_plan_ struct plan plan = PLAN_INIT, again = PLAN_INIT;
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf text = BUF_INIT, blob = BUF_INIT;
    struct list links = {0};

    if (plan_decode(p, n, &plan, NULL) < 0)
        return;
    plan_print(&plan, &text);
    (void)plan_links(&plan, &a, &links);
    plan_encode(&plan, &blob);
    FUZZ_MUST(plan_decode(blob.data, blob.size, &again, NULL) == 0);
}

static void launches(const void *p, size_t n) {
    struct monitor_launch l = MONITOR_LAUNCH_INIT;
    struct monitor_exec x = MONITOR_EXEC_INIT;

    (void)launch_fd_mask(p, n);
    switch (launch_role(p, n)) {
    case LAUNCH_CONTAINER:
        if (launch_decode(p, n, &l) == 0 && l.plan)
            plans(l.plan, l.plan_size);
        break;
    case LAUNCH_EXEC:
        if (launch_decode_exec(p, n, &x) == 0 && x.plan)
            plans(x.plan, x.plan_size);
        break;
    }
}

static void fetching(const void *p, size_t n) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct fetch_request request;
    struct fetch_reply reply;

    (void)fetch_request_decode(p, n, &a, &request);
    if (fetch_reply_decode(p, n, &a, &reply) == 0)
        fetch_reply_encode(&reply, &out);
}

static void dbus(const void *p, size_t n) {
    struct dbus_message m;
    ssize_t size = n < DBUS_HEADER_SIZE ? -1 : dbus_message_size(p);

    if (size < 0 || (size_t)size > n || dbus_message_parse(p, (size_t)size, &m) < 0)
        return;
    (void)strlen(m.interface), (void)strlen(m.member), (void)strlen(m.error_name), (void)strlen(m.signature);
    for (int i = 0; i < 8 && !m.body.failed; i++) {
        (void)dbus_get_u32(&m.body);
        (void)strlen(dbus_get_string(&m.body));
        (void)strlen(dbus_get_variant_string(&m.body));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    void *copy;

    if (size < 1)
        return 0;
    copy = malloc(size); /* malloc's alignment, which a blob has in its buffer */
    if (!copy)
        return 0;
    memcpy(copy, data + 1, size - 1);
    switch (data[0] % 5) {
    case 0: frames(copy, size - 1); break;
    case 1: plans(copy, size - 1); break;
    case 2: launches(copy, size - 1); break;
    case 3: fetching(copy, size - 1); break;
    case 4: dbus(copy, size - 1); break;
    }
    free(copy);
    return 0;
}
