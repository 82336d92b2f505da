/* Whether and when a container is started again. Pure. */
#include "base/clock.h"
#include "runtime/monitor/monitor.h"

#define BACKOFF_FIRST_NS (100 * 1000 * 1000LL)
#define BACKOFF_MAX_NS   (60 * NS_PER_SEC)
#define BACKOFF_RESET_NS (10 * NS_PER_SEC) /* a program that ran this long begins anew */

/* Docker's: 100 ms, doubled at each end, at most a minute; anew after ten seconds of running. */
int64_t restart_backoff_ns(int64_t last_ns, int64_t ran_ns) {
    if (last_ns == 0 || ran_ns >= BACKOFF_RESET_NS)
        return BACKOFF_FIRST_NS;
    return MIN_OF(last_ns * 2, BACKOFF_MAX_NS);
}

bool restart_wanted(const struct monitor_launch *l, const struct container_state *s) {
    if (s->stopped_by_user)
        return false;
    switch (l->restart) {
    case RESTART_ALWAYS:
    case RESTART_UNLESS_STOPPED: return true;
    case RESTART_ON_FAILURE: return s->exit_code != 0 && (l->restart_max == 0 || s->restart_count < l->restart_max);
    default: return false;
    }
}
