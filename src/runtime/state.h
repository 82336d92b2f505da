/* The state of one container, as its monitor writes it and as readers compute it.
 *
 * The monitor alone writes `state` in the run directory (text, one "key value" a line, versioned); when the container has ended it
 * also writes it into the container's own directory, so that the exit status outlives a reboot. A reader never believes a file:
 * "running" holds only if the boot id is this boot's and the process of that pid has that start time. The record lock of the run
 * directory tells whether a monitor still looks after it. */
#pragma once

#include <sys/types.h>
#include <time.h>

#include "base/error.h"

#define STATE_FILE             "state"
#define STATE_LOCK_FILE        "lock"
#define STATE_SOCKET_FILE      "sock"
#define STATE_END_EVENTS       "end-events"       /* what is told when the container has ended: event_prepare() */
#define STATE_NETWORKS_CHANGED "networks-changed" /* its networks are not those that it was started with */
#define STATE_ERROR_MAX        512

enum container_status {
    STATUS_CREATED,    /* never started */
    STATUS_RUNNING,    /* PID 1 lives */
    STATUS_PAUSED,     /* PID 1 lives, frozen */
    STATUS_RESTARTING, /* PID 1 ended; the monitor waits to start it again */
    STATUS_EXITED,     /* PID 1 ended */
    STATUS_DEAD,       /* a removal did not finish */
};

enum health_status { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

/* Exit code of a container whose end nobody saw (its monitor was killed and the kernel does not tell): 137 with exit_unknown. */
#define STATE_EXIT_UNKNOWN 137

/* Its reason, for container_state.error. */
extern const char state_unseen_end[];

struct container_state {
    enum container_status status;
    pid_t pid;                   /* PID 1 seen from the host; 0 unless it lives */
    uint64_t pid_start_ticks;    /* field 22 of /proc/PID/stat */
    pid_t monitor_pid;           /* 0: no monitor lives */
    pid_t keeper_pid;            /* second holder of the terminal; 0 = none */
    char boot_id[40];            /* of the boot in which it was started */
    struct timespec started_at;  /* zero: never */
    struct timespec finished_at; /* zero: never */
    int exit_code;               /* 0..255 */
    bool exit_unknown;           /* nobody saw the end: exit_code is a guess */
    bool oom_killed;
    bool stopped_by_user; /* `stop` or `kill` was asked for: unless-stopped does not start it again */
    uint32_t restart_count;
    enum health_status health;
    uint32_t health_failing_streak;
    char error[STATE_ERROR_MAX]; /* why the last start failed; "" = none */
};

/* Reads and checks. run_dirfd may be -1 (no run directory), container_dirfd may be -1. No file at all gives STATUS_CREATED.
 * When the monitor died, status is what is true now: RUNNING while PID 1 lives, else EXITED with exit_unknown. */
int state_read(int container_dirfd, int run_dirfd, struct container_state *ret, struct error *e);
/* The file of the run directory as it is, unchecked: for a monitor that takes over. -ENOENT. */
int state_read_claim(int run_dirfd, struct container_state *ret, struct error *e);
/* Else its numbers of processes mean nothing: the run directory outlived the boot. */
bool state_is_of_this_boot(const struct container_state *s);
/* Who holds the record lock: the monitor, also while it starts the container or clears up behind it (the state then claims no
 * life). 0: nobody; -1: one whose number is not seen from here. */
pid_t state_monitor(int run_dirfd);
/* What a list needs of one of many containers, in six calls at most. */
enum state_glance {
    GLANCE_TRUE,   /* *ret is what state_read() would give */
    GLANCE_NO_RUN, /* so, too; but it has no state in the run directory: never started in this boot, or that directory was removed
                    */
    GLANCE_UNSURE, /* it claims to live, and no monitor does: state_read(), after looking for what was left behind */
};
enum state_glance state_glance(int containers_dirfd, int runs_dirfd, const char *id, struct container_state *ret);
/* For the monitor (and for healing, under the record lock): replaces the file in dirfd. */
int state_write(int dirfd, const struct container_state *s, struct error *e);
/* The same, on the disk when it returns: what decides after a power cut whether the container is started again. */
int state_write_lasting(int dirfd, const struct container_state *s, struct error *e);

const char *status_text(enum container_status s); /* "running" */
const char *health_text(enum health_status h);    /* "healthy"; "none" */

/* Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat); 0 when it does not exist. */
uint64_t process_start_ticks(pid_t pid);
/* How a process ended that nobody has reaped yet, as wait(2) would tell. -EBUSY: it lives. -ESRCH. */
int process_zombie_status(pid_t pid, uint64_t start_ticks, int *ret_wait_status);
/* This boot's id; "" when it cannot be read. */
void boot_id_read(char id[40]);
/* A pidfd of PID 1 if the state's process still is that process; -ESRCH. */
int state_open_pidfd(const struct container_state *s);
