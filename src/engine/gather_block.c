/* Limits of block devices: paths of the host to device numbers. */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "engine/gather.h"
#include "engine/spec_parts.h"

static int device_number(const char *path, int64_t *ret_major, int64_t *ret_minor, struct error *e) {
    struct stat st;
    if (stat(path, &st) < 0)
        return error_errno(e, -errno, "look at the device %s", path);
    if (!S_ISBLK(st.st_mode))
        return error_set(e, -ENOTBLK, "%s is not a block device", path);
    *ret_major = major(st.st_rdev);
    *ret_minor = minor(st.st_rdev);
    return 0;
}

static int add_throttles(const struct list *asked, struct arena *a, struct list *ret, struct error *e) {
    for (size_t i = 0; i < asked->n; i++) {
        const struct throttle_device *t = LIST_AT(struct throttle_device, asked, i);
        struct oci_throttle_device *d = LIST_ADD(a, struct oci_throttle_device, ret);
        int r = device_number(t->path, &d->major, &d->minor, e);
        if (r < 0)
            return r;
        d->rate = t->rate;
    }
    return 0;
}

static int add_weights(const struct list *asked, struct arena *a, struct list *ret, struct error *e) {
    for (size_t i = 0; i < asked->n; i++) {
        const struct weight_device *w = LIST_AT(struct weight_device, asked, i);
        struct oci_weight_device *d = LIST_ADD(a, struct oci_weight_device, ret);
        int r = device_number(w->path, &d->major, &d->minor, e);
        if (r < 0)
            return r;
        d->weight = (struct opt_u64){true, w->weight};
    }
    return 0;
}

int gather_block_io(const struct host_config *h, struct arena *a, struct oci_block_io **ret, struct error *e) {
    if (!h->blkio_weight_device.n && !h->blkio_read_bps.n && !h->blkio_write_bps.n && !h->blkio_read_iops.n &&
        !h->blkio_write_iops.n)
        return 0;
    struct oci_block_io *b = *ret = arena_new(a, struct oci_block_io);
    int r = add_weights(&h->blkio_weight_device, a, &b->weight_device, e);
    if (r == 0)
        r = add_throttles(&h->blkio_read_bps, a, &b->throttle_read_bps_device, e);
    if (r == 0)
        r = add_throttles(&h->blkio_write_bps, a, &b->throttle_write_bps_device, e);
    if (r == 0)
        r = add_throttles(&h->blkio_read_iops, a, &b->throttle_read_iops_device, e);
    return r < 0 ? r : add_throttles(&h->blkio_write_iops, a, &b->throttle_write_iops_device, e);
}
