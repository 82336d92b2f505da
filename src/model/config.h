/* The configuration file: /etc/tare/tare.conf, then the user's own ~/.config/tare/tare.conf on top; --config FILE instead of both.
 *
 * Text: `key = value`, one a line; # begins a comment; a list's values are separated by commas; a value may stand in double quotes.
 * Every key is a row of config_keys, from which reading, `tare info` and docs come. Command-line flags win over the file. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define CONFIG_SIZE_MAX ((size_t)1 << 20) /* bytes of a file */

struct config {
    const char *root, *run_root; /* NULL: the defaults of base/roots.h */
    const char *log_level;
    const char *userns;        /* default of --userns */
    const char *userns_user;   /* whose ranges in /etc/subuid and /etc/subgid --userns auto takes */
    const char *cgroup_parent; /* NULL: /tare<tag> */
    const char *log_driver;
    struct strs log_opts; /* "max-size=10m" */
    const char *network;  /* default of --network */
    struct strs dns, dns_search, dns_options;
    const char *publish_address; /* for -p without an address */
    const char *publish_mode;    /* default of --publish-mode: "nat" or "input" */
    struct strs ulimits;         /* "nofile=1024:524288" */
    struct strs cdi_dirs;        /* absolute; the later stands before */
    struct strs cni_conf_dirs, cni_plugin_dirs;
    int64_t pids_limit;   /* -1: none */
    int64_t shm_size;     /* bytes */
    int64_t stop_timeout; /* seconds */
    bool init, no_new_privileges;
    const char *seccomp_profile; /* "builtin", "unconfined" or a file */
    const char *detach_keys;
    int64_t layer_size_max, image_size_max; /* bytes; of images that come in, as all below */
    int64_t layer_entries_max, layer_ratio_max;
    int64_t path_length_max, path_depth_max;
};

enum config_kind { CONFIG_STR, CONFIG_LIST, CONFIG_BOOL, CONFIG_INT, CONFIG_COUNT, CONFIG_SIZE }; /* COUNT: an INT above zero */

struct config_key {
    const char *name;
    uint8_t kind;
    uint32_t offset;     /* into struct config */
    const char *initial; /* default as text; NULL = absent */
    const char *help;
};
extern const struct config_key config_keys[]; /* ends with name NULL */

/* The defaults. Strings and lists lie in the arena. */
void config_init(struct arena *a, struct config *ret);
/* Puts what the text says on top. -EINVAL names file, line and key. `file` is for messages. */
int config_parse(const char *file, const char *text, size_t n, struct arena *a, struct config *c, struct error *e);
/* The value of a key as text, as it would stand in the file. */
void config_value(const struct config *c, const struct config_key *key, struct buf *out);
