/* Volumes: directories that outlive containers.
 *
 *     ROOT/volumes/NAME/volume.json   struct volume
 *     ROOT/volumes/NAME/_data/        what the container sees
 *     ROOT/volumes/NAME/users/ID      one empty file per container that mounts it (an id whose container is gone does not count)
 *
 * A volume appears whole, by one rename; it goes by one rename into ROOT/trash. The only driver is `local`, with Docker's options:
 * type=, device=, o= (tmpfs, nfs, bind, any file system): such a volume has no data of its own but is mounted anew in each
 * container. */
#pragma once

#include "base/id_shift.h"
#include "base/json.h"
#include "base/roots.h"
#include "model/oci_spec.h"

/* Below the data root: volumes that are being made, each locked (flock) by its maker; one that is not is a killed command's. */
#define VOLUMES_UNFINISHED "volumes/.new"

struct volume {
    const char *name;
    const char *driver;     /* "local" */
    const char *mountpoint; /* absolute path of _data; not stored */
    const char *created_at;
    struct map labels;
    struct map options;
    bool anonymous;
    const char *scope; /* "local" */
};
extern const struct json_table volume_table; /* Docker's inspect answer */

#define VOLUME_ANONYMOUS_LABEL "com.docker.volume.anonymous"

/* Makes it; name NULL: anonymous, with a random name of 64 digits. One that exists already is given back as it is, if its driver
 * and options are the same (-EEXIST else). -EINVAL: name, driver, option. */
int volume_create(const struct roots *roots, const char *name, const char *driver, const struct map *options,
                  const struct map *labels, struct arena *a, struct volume *ret, struct error *e);
/* -ENOENT "get x: no such volume". */
int volume_open(const struct roots *roots, const char *name, struct arena *a, struct volume *ret, struct error *e);
/* All, by name. ret: of struct volume. */
int volume_list(const struct roots *roots, struct arena *a, struct list *ret, struct error *e);

/* A container mounts it (or does so no longer). Using a volume that vanished meanwhile is -ENOENT. */
int volume_use(const struct roots *roots, const char *name, const char *container_id, struct error *e);
int volume_release(const struct roots *roots, const char *name, const char *container_id, struct error *e);
/* The containers that use it. */
int volume_users(const struct roots *roots, const char *name, struct arena *a, struct strs *ret, struct error *e);

/* -EBUSY "remove x: volume is in use - [ids]"; with force an absent volume is success. */
int volume_remove(const struct roots *roots, const char *name, bool force, struct error *e);

/* Fills an empty volume with what the image has at `path` (owner, mode, links, attributes; the directory's own too), as Docker does
 * at the first use. rootfs: upper and layers, TOP FIRST. Nothing happens when the volume has files. Where the image has no such
 * directory, the volume is given to the root of `owners`. */
int volume_fill(const struct roots *roots, const struct volume *v, const struct strs *rootfs, const char *path,
                const struct id_shift *owners, struct error *e);

/* The mount that shows it at `destination`: a bind of its data, or what its options say. */
int volume_mount(const struct volume *v, const char *destination, struct arena *a, struct oci_mount *ret, struct error *e);

/* Bytes allocated by its data, without following links or leaving the file system. */
int volume_size(const struct roots *roots, const char *name, uint64_t *ret, struct error *e);
