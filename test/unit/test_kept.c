/* What earlier versions wrote and said (test/kept), read by this one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/fs.h"
#include "runtime/frame.h"
#include "runtime/launch.h"
#include "runtime/monitor_client.h"
#include "runtime/plan.h"
#include "runtime/state.h"

/* Calls fn with the folder of each version that is kept. */
static void each_version(void (*fn)(int dirfd)) {
    DIR *kept = opendir(KEPT);
    unsigned n = 0;

    assert_non_null(kept);
    for (struct dirent *d; (d = readdir(kept));) {
        if (d->d_name[0] < '0' || d->d_name[0] > '9')
            continue;
        print_message("# version %s\n", d->d_name);
        _cleanup_fd_ int dirfd_ = openat(dirfd(kept), d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fn(dirfd_);
        n++;
    }
    closedir(kept);
    assert_true(n > 0);
}

static void state_of(int dirfd) {
    struct container_state s;

    assert_int_equal(state_read_claim(dirfd, &s, NULL), 0);
    assert_int_equal(s.status, STATUS_RUNNING);
    assert_true(s.pid > 0 && s.pid_start_ticks > 0 && s.monitor_pid > 0 && s.started_at.tv_sec > 0);
    assert_int_equal(strlen(s.boot_id), 36);
    assert_int_equal(s.health, HEALTH_STARTING);
}

static void states(void **state) {
    (void)state;
    each_version(state_of);
}

static void launch_of(int dirfd) {
    _cleanup_buf_ struct buf blob = BUF_INIT;
    _cleanup_plan_ struct plan plan = PLAN_INIT;
    struct monitor_launch l = MONITOR_LAUNCH_INIT;
    int r;

    assert_int_equal(fs_read_at(dirfd, "launch", LAUNCH_SIZE_MAX, &blob, NULL), 0);
    assert_int_equal(launch_role(blob.data, blob.size), LAUNCH_CONTAINER);
    assert_int_equal(launch_decode(blob.data, blob.size, &l), 0);
    assert_string_equal(l.name, "running");
    assert_string_equal(l.image, "kept:1");
    assert_int_equal(strlen(l.id), 64);
    assert_non_null(strstr(l.cgroup, l.id));
    assert_non_null(strstr(l.event_attributes, "\"kept\":\"yes\""));
    assert_true(l.publishes && !l.tty && !l.auto_remove);
    assert_int_equal(l.restart, RESTART_NO);
    assert_int_equal(l.stop_timeout_s, 10);
    assert_int_equal(l.log.driver, LOG_JSON_FILE);
    assert_true(l.health.interval_ns == (int64_t)3600 * 1000000000 && l.health.plan_size > 0);
    /* A plan is for the version that made it: another one reads it or says so (and makes a new one). */
    r = plan_decode(l.plan, l.plan_size, &plan, NULL);
    assert_true(r == 0 || r == -EPROTO);
}

static void launches(void **state) {
    (void)state;
    each_version(launch_of);
}

/* --- messages --------------------------------------------------------------------------------------------------------------- */

static size_t unhex(const char *hex, unsigned char *out, size_t room) {
    size_t n = 0;

    for (unsigned byte; n < room && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        out[n] = (unsigned char)byte;
    return n;
}

/* One connection: takes what a client said then, to the byte, and answers as the monitor did. Returns what follows. */
static char *play(int fd, char *line) {
    for (char *end; *line && *line != '\n'; line = end + 1) {
        unsigned char wanted[256], got[256];
        size_t n = unhex(line + 2, wanted, sizeof(wanted));

        end = strchr(line, '\n');
        if (*line == '<' && send(fd, wanted, n, MSG_NOSIGNAL) != (ssize_t)n)
            _exit(2);
        if (*line == '>' && (recv(fd, got, n, MSG_WAITALL) != (ssize_t)n || memcmp(got, wanted, n) != 0))
            _exit(1);
    }
    return line;
}

/* A monitor of that version, in a process of its own. */
static pid_t old_monitor(int listener, char *script) {
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    while (*script) {
        int fd;

        script += strspn(script, "\n");
        if (!*script)
            break;
        fd = accept(listener, NULL, NULL);
        script = play(fd, script);
        close(fd);
    }
    _exit(0);
}

static int listen_at(const char *dir) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/" STATE_SOCKET_FILE, dir);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

/* In the order of test/kept/record. */
static int say(unsigned i, struct monitor_conn *c) {
    const struct attach_options streams = {.out = true, .err = true};

    switch (i) {
    case 0: return monitor_signal(c, SIGWINCH, NULL);
    case 1: return monitor_update_restart(c, RESTART_ALWAYS, 0, NULL);
    case 2: return monitor_pause(c, true, NULL);
    case 3: return monitor_pause(c, false, NULL);
    case 4: return monitor_attach(c, &streams, NULL);
    case 5: return monitor_restart(c, 0, 0, NULL);
    case 6: return monitor_update_restart(c, RESTART_NO, 0, NULL);
    default: return monitor_stop(c, SIGKILL, INT32_MIN, NULL);
    }
}

static void messages_of(int dirfd) {
    _cleanup_buf_ struct buf script = BUF_INIT;
    char dir[] = "/tmp/tare-test-XXXXXX";
    int status;

    assert_int_equal(fs_read_at(dirfd, "messages", 1 << 20, &script, NULL), 0);
    assert_non_null(mkdtemp(dir));
    _cleanup_fd_ int run = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), listener = listen_at(dir);
    pid_t pid = old_monitor(listener, (char *)(uintptr_t)buf_text(&script));

    for (unsigned i = 0; i < 8; i++) {
        _cleanup_monitor_conn_ struct monitor_conn c = MONITOR_CONN_INIT;

        assert_int_equal(monitor_connect(run, &c, NULL), 0);
        assert_int_equal(say(i, &c), 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(fs_remove_tree_at(AT_FDCWD, dir, NULL), 0);
}

static void messages(void **state) {
    (void)state;
    each_version(messages_of);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(states), cmocka_unit_test(launches), cmocka_unit_test(messages)};

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
