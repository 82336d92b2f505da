#include "kernel/sys.h"

#include <sys/syscall.h>

#include "base/clock.h"

#define SYS_NUMBER(name, ...) [SYS_CALL_##name] = (short)SYS_##name,
static const short numbers[SYS_CALL_COUNT] = {SYS_CALLS(SYS_NUMBER)};

/* One watcher for the whole process: a process that sets a container up has one thread and one container. */
static struct {
    sys_watch_fn *fn;
    void *arg;
} watcher;

void sys_watch(sys_watch_fn *fn, void *arg) {
    watcher.fn = fn;
    watcher.arg = arg;
}

bool sys_watched(void) {
    return watcher.fn != NULL;
}

static inline long make(enum sys_call call, long a, long b, long c, long d, long e, long f) {
    long r = syscall(numbers[call], a, b, c, d, e, f);

    return r == -1 ? -errno : r;
}

static __attribute__((noinline, cold)) long make_watched(enum sys_call call, long a, long b, long c, long d, long e, long f) {
    struct sys_event event = {.call = call, .arg = {a, b, c, d, e, f}};
    int64_t start;

    if (call == SYS_CALL_execve || call == SYS_CALL_execveat) { /* on success nobody is left to report it */
        event.before = true;
        watcher.fn(&event, watcher.arg);
        event.before = false;
    }
    start = clock_monotonic_ns();
    event.result = make(call, a, b, c, d, e, f);
    event.ns = clock_monotonic_ns() - start;
    if ((call != SYS_CALL_clone3 && call != SYS_CALL_clone) ||
        event.result != 0) /* the child made no call: it is the result of one */
        watcher.fn(&event, watcher.arg);
    return event.result;
}

long sys_call_make(enum sys_call call, long a, long b, long c, long d, long e, long f) {
    if (__builtin_expect(watcher.fn != NULL, 0))
        return make_watched(call, a, b, c, d, e, f);
    return make(call, a, b, c, d, e, f);
}
