/* From a name to an image in the store: registries.conf, the registry's documents, the choice of a platform, then image_commit(),
 * for which the layers' bytes are brought by one short-lived courier process a layer. */
#pragma once

#include "image/ingest.h"

enum pull_policy {
    PULL_MISSING, /* when there is no such image in the store */
    PULL_ALWAYS,
    PULL_NEVER,
    PULL_NEWER, /* when the registry has another one under the tag; what is in the store will do when the registry does not answer
                 */
};
/* "missing", "always", "never", "newer"; "" is missing. -EINVAL. */
int pull_policy_parse(const char *text, enum pull_policy *ret, struct error *e);

/* What goes on, for whoever shows it. Either may be NULL. */
struct pull_observer {
    void (*line)(void *arg, const char *text); /* "latest: Pulling from library/alpine", "Digest: …", "Status: …" */
    const struct image_progress *progress;
    void *arg;
};

struct pull_options {
    enum pull_policy policy;
    const char *platform; /* NULL = the host's */
    const struct pull_observer *observer;
};

/* -ENOENT with PULL_NEVER when the image is absent. ret may be NULL. */
int image_pull(struct image_store *s, const char *name, const struct pull_options *o, struct arena *a, struct image *ret,
               struct error *e);
/* Every tag of the repository; ret_names: the canonical names that were pulled. */
int image_pull_all_tags(struct image_store *s, const char *repository, const struct pull_options *o, struct arena *a,
                        struct strs *ret_names, struct error *e);
