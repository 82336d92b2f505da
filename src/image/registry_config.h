/* registries.conf: where the images of a name really come from. Version 2 of the format of containers-registries.conf(5):
 * unqualified-search-registries, [[registry]] with prefix, location, insecure, blocked, mirrors, and [aliases]; drop-in files in
 * registries.conf.d in the order of their names, later ones winning. Where the file does not exist, Docker's rules hold alone. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

enum mirror_use { MIRROR_ALL, MIRROR_DIGEST_ONLY, MIRROR_TAG_ONLY };

struct registry_mirror {
    const char *location; /* host[:port][/path] */
    bool insecure;
    enum mirror_use use;
};

struct registry_rule {
    const char *prefix;   /* host[:port][/path], or "*.example.com" */
    const char *location; /* what the prefix is replaced by; NULL = itself */
    bool insecure;        /* plain HTTP and unchecked certificates are fine */
    bool blocked;
    struct list mirrors; /* of struct registry_mirror */
};

struct registries_config {
    struct strs search;  /* unqualified-search-registries */
    struct list rules;   /* of struct registry_rule */
    struct map aliases;  /* short name → repository */
    struct strs helpers; /* credential-helpers */
};

/* Reads the first that exists of $CONTAINERS_REGISTRIES_CONF, ~/.config/containers/registries.conf and
 * /etc/containers/registries.conf, then the drop-ins and shortnames files. -EINVAL names file and line. */
int registries_config_read(struct arena *a, struct registries_config *ret, struct error *e);
/* Adds one file's text (`file` for messages). Pure. */
int registries_config_parse(const char *text, size_t n, const char *file, struct arena *a, struct registries_config *c,
                            struct error *e);

/* The rule with the longest prefix that fits repository ("host/path"); NULL = none. */
const struct registry_rule *registries_config_find(const struct registries_config *c, const char *repository);

/* Where to ask for a repository, in order: mirrors, then the registry itself. */
struct registry_endpoint {
    const char *host; /* host[:port] to connect to */
    const char *path; /* of the repository there */
    bool insecure;
    bool mirror;
};
/* ret: of struct registry_endpoint. by_digest: mirrors for tags only are left out, and the other way round. -EPERM: blocked. */
int registries_config_endpoints(const struct registries_config *c, const char *repository, bool by_digest, struct arena *a,
                                struct list *ret, struct error *e);

/* What a name without a host may stand for, in order: an alias; the search registries; Docker Hub when there are neither. `name` as
 * the user wrote it (tag or digest included). ret: of full texts. A name with a host gives itself. */
int registries_config_candidates(const struct registries_config *c, const char *name, struct arena *a, struct strs *ret,
                                 struct error *e);
