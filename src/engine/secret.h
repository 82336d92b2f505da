/* Secrets: small files that containers get by name, and that nothing else shows.
 *
 * ROOT/secrets/NAME is one file, 0600 in a directory 0700: a line of JSON that tells about it, then its bytes. It appears whole
 * (link(2)) and is never changed. A container's record has names only; the bytes are copied into its run directory, which is in
 * memory
 * (/run), when it starts, bound into a tmpfs in it, and removed by the run's journal when it ends. */
#pragma once

#include "engine/container.h"
#include "engine/spec.h"

struct journal;

#define SECRET_SIZE_MAX ((size_t)512000) /* bytes, as Docker's and Podman's */

struct secret_driver {
    const char *name;
    struct map options;
};
struct secret_spec {
    const char *name;
    struct secret_driver driver;
    struct map labels;
};
struct secret { /* as Podman's `secret inspect` shows it */
    const char *id, *created_at, *updated_at;
    struct secret_spec spec;
};
extern const struct json_table secret_table;

/* -EEXIST: the name is taken, and not to be replaced; -EFBIG; -EINVAL: empty. */
int secret_create(const struct roots *roots, const char *name, const struct map *labels, const void *data, size_t n, bool replace,
                  struct arena *a, struct secret *ret, struct error *e);
/* By name or id. -ENOENT "no such secret". */
int secret_open(const struct roots *roots, const char *name, struct arena *a, struct secret *ret, struct error *e);
/* Sorted by name; ret: of struct secret. */
int secret_list(const struct roots *roots, struct arena *a, struct list *ret, struct error *e);
/* -EBUSY: a container has it, running or not (force: all the same; what has started keeps its copy). ret: its name. */
int secret_remove(struct engine *engine, const char *name, bool force, struct arena *a, struct error *e);

/* For create: are they all there, and are the requests right? Fills defaults in. */
int secrets_check(const struct roots *roots, struct list *requests, struct arena *a, struct error *e);
/* The variables, and the mounts of what secrets_place() will put into the run directory. `started`: for exec; one that was removed
 * meanwhile is passed over. */
int secrets_gather(struct engine *engine, const struct container *c, bool started, struct arena *a, struct spec_input *in,
                   struct error *e);
void secrets_journal(const struct engine *engine, const struct container *c, struct arena *a, struct journal *j);
/* Writes the files into the run directory, with their owners as the container's ids are on the host. After the journal. */
int secrets_place(struct engine *engine, const struct container *c, const struct spec_input *in, struct error *e);
