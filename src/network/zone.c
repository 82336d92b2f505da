#include "network/zone.h"

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "kernel/firewalld.h"
#include "kernel/link.h"

#define STAMP_MAX 32

/* An ordinary user's bridges are in a namespace that no firewalld looks after. */
static uint64_t generation(const struct roots *roots) {
    return roots->rootless ? 0 : firewalld_generation();
}

static uint64_t stamp_read(const struct roots *roots) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    return fs_read_at(roots->run_fd, ZONE_STAMP, STAMP_MAX, &text, NULL) < 0 ? 0 : strtoull(buf_text(&text), NULL, 10);
}

static void stamp_write(const struct roots *roots, uint64_t generation) {
    char text[STAMP_MAX];
    int n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)generation);

    (void)fs_replace_at(roots->run_fd, ZONE_STAMP, text, (size_t)n, 0600, FS_NO_SYNC, NULL);
}

bool zone_is_joined(const struct roots *roots) {
    uint64_t now = generation(roots);

    return now == 0 || now == stamp_read(roots);
}

/* Permanently, too: nobody of ours is there to see that firewalld is reloaded. Where that cannot be written the next start sees it.
 */
static int join(const char *bridge, struct error *e) {
    char zone[FIREWALLD_ZONE_MAX];
    int r = firewalld_zone_of(bridge, zone, e);

    if (r < 0 || *zone)
        return r;
    (void)firewalld_zone_add(ZONE_TRUSTED, bridge, true, NULL);
    return firewalld_zone_add(ZONE_TRUSTED, bridge, false, e);
}

void zone_join(const struct roots *roots, struct arena *a) {
    uint64_t now = generation(roots);
    struct list all = {0};
    bool failed = false;

    if (now == 0 || network_list(roots, a, &all, NULL, NULL) < 0)
        return;
    for (size_t i = 0; i < all.n; i++) {
        const struct network *n = LIST_AT(struct network, &all, i);
        const char *bridge = network_bridge(n, a);
        _cleanup_error_ struct error why = ERROR_INIT;

        if (!network_is_bridge(n) || !link_index(bridge) || join(bridge, &why) == 0)
            continue;
        failed = true;
        log_warn("network %s may have no way out: %s; firewall-cmd --zone=" ZONE_TRUSTED " --add-interface=%s opens it", n->name,
                 why.text ? why.text : "firewalld does not answer", bridge);
    }
    if (!failed)
        stamp_write(roots, now);
}

void zone_leave(const struct roots *roots, const char *bridge) {
    char zone[FIREWALLD_ZONE_MAX];

    if (!zone_of(roots, bridge, zone))
        return;
    (void)firewalld_zone_remove(ZONE_TRUSTED, bridge, true, NULL);
    if (strcmp(zone, ZONE_TRUSTED) == 0)
        (void)firewalld_zone_remove(zone, bridge, false, NULL);
}

bool zone_of(const struct roots *roots, const char *bridge, char zone[]) {
    return generation(roots) != 0 && firewalld_zone_of(bridge, zone, NULL) == 0;
}
