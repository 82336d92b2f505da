#include "engine/host_limits.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "model/cpu_list.h"

#define LIST_TEXT_MAX 4096

static int check_list(const char *asked, const char *path, const char *noun, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    bool in = true;

    if (!asked || !*asked || fs_read_at(AT_FDCWD, path, LIST_TEXT_MAX, &text, NULL) < 0 || text.size == 0)
        return 0; /* a kernel without nodes, or without sysfs: it is for the cgroup to accept or to refuse */
    char *list = text.data;
    list[strcspn(list, "\n")] = '\0';
    int r = cpu_list_within(asked, list, &in, e);

    if (r < 0)
        return error_wrap(e, r, "Invalid value %s for cpuset %s", asked, noun);
    return in ? 0 : error_set(e, -EINVAL, "Requested %s are not available - requested %s, available: %s", noun, asked, list);
}

int host_limits_check(const struct host_config *h, struct error *e) {
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (cpus > 0 && h->nano_cpus / 1000000000 + (h->nano_cpus % 1000000000 != 0) > cpus)
        return error_set(e, -EINVAL, "Range of CPUs is from 0.01 to %ld.00, as there are only %ld CPUs available", cpus, cpus);
    int r = check_list(h->cpuset_cpus, "/sys/devices/system/cpu/online", "CPUs", e);

    return r < 0 ? r : check_list(h->cpuset_mems, "/sys/devices/system/node/online", "memory nodes", e);
}
