#include "network/plug.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "kernel/netns.h"
#include "network/lease.h"
#include "network/store.h"

/* A network namespace is joined by a short-lived child: the caller may have threads, and must stay where it is. */
static int inside(int netns_fd, int (*fn)(const void *, struct error *), const void *arg, struct error *e) {
    int pair[2], status, code = 0;
    char text[512] = "";
    pid_t pid;
    ssize_t n;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(e, -errno, "make a pipe");
    pid = fork();
    if (pid == 0) {
        struct error inner = ERROR_INIT;
        netns_use(NETNS_OWN);
        int r = setns(netns_fd, CLONE_NEWNET) < 0 ? error_errno(&inner, -errno, "join the container's network namespace")
                                                  : fn(arg, &inner);

        if (r < 0)
            (void)fs_write_all(pair[1], inner.text ? inner.text : "", inner.text ? strlen(inner.text) : 0);
        _exit(r < 0 ? 1 + MIN_OF(-r, 250) : 0);
    }
    (void)fd_close(pair[1]);
    n = pid < 0 ? -1 : read(pair[0], text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    (void)fd_close(pair[0]);
    if (pid < 0)
        return error_errno(e, -errno, "start a process");
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    code = WIFEXITED(status) && WEXITSTATUS(status) ? -(WEXITSTATUS(status) - 1) : WIFEXITED(status) ? 0 : -EIO;
    return code < 0 ? error_set(e, code, "%s", text) : 0;
}

static int configure(const void *arg, struct error *e) {
    return link_configure(arg, 1, e);
}

int network_plug(const struct network_attachment *attachment, int netns_fd, struct error *e) {
    int r = link_create(&attachment->link, netns_fd, 0, e);

    if (r < 0)
        return r;
    r = inside(netns_fd, configure, &attachment->link, e);
    if (r < 0 && attachment->link.kind == LINK_VETH)
        (void)link_delete(attachment->link.host_name, NULL);
    return r;
}

static int remove_link(const void *arg, struct error *e) {
    return link_delete(arg, e);
}

int network_unplug(const char *ifname, int netns_fd, struct error *e) {
    return inside(netns_fd, remove_link, ifname, e);
}

/* The interface as the container's lease describes it. */
static int link_of_lease(const struct roots *roots, const struct network *n, const char *container_id, struct arena *a,
                         struct link *ret, struct error *e) {
    struct list leases = {0};
    int r = lease_list(roots, n->name, a, &leases, e);

    if (r < 0)
        return r;
    for (size_t i = 0; i < leases.n; i++) {
        const struct lease_owner *o = &LIST_AT(struct lease, &leases, i)->owner;
        const char *const addresses[] = {o->ip, o->ip6};
        struct link l = {0};

        if (strcmp(o->container_id, container_id) != 0)
            continue;
        (void)snprintf(l.name, sizeof(l.name), "%s", o->ifname);
        for (size_t k = 0; k < ARRAY_SIZE(addresses); k++)
            if (addresses[k] && *addresses[k] && ip_prefix_parse(addresses[k], &l.addresses[l.n_addresses], NULL) == 0)
                l.n_addresses++;
        network_default_routes(n, &l);
        *ret = l;
        return 0;
    }
    return error_set(e, -ENOENT, "the container has no address on network %s", n->name);
}

int network_route(const struct roots *roots, const char *network, const char *container_id, int netns_fd, struct arena *a,
                  struct link *ret, struct error *e) {
    struct network n;
    int r = network_open(roots, network, a, &n, e);

    if (r == 0)
        r = link_of_lease(roots, &n, container_id, a, ret, e);
    if (r == 0 && netns_fd >= 0)
        r = inside(netns_fd, configure, ret, e);
    return r < 0 ? error_wrap(e, r, "lead the default route to network %s", network) : 0;
}
