/* HostConfig.NetworkMode: a word ("none"), a word with an argument ("container:web"), or the name of a network. */
#pragma once

#include <stdbool.h>

enum network_mode_kind {
    NETWORK_MODE_NAMED, /* a namespace of its own on tare's networks; also "" and "default" */
    NETWORK_MODE_NONE,  /* a namespace of its own, empty */
    NETWORK_MODE_PASTA, /* a namespace of its own that pasta(1) connects */
    NETWORK_MODE_HOST,
    NETWORK_MODE_CONTAINER, /* container:NAME */
    NETWORK_MODE_PATH,      /* ns:PATH */
    NETWORK_MODE_CNI,       /* cni:NAME: a namespace of its own that somebody else's programs set up */
};

/* NULL is "". *ret_argument (NULL allowed): what stands behind the colon; "" for words without one. */
enum network_mode_kind network_mode_kind(const char *mode, const char **ret_argument);
const char *network_mode_path(const char *mode); /* PATH of "ns:PATH", else NULL */
bool network_mode_is_foreign(const char *mode);  /* it lives in a network namespace that is somebody else's */
