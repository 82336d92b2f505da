#include "model/network_mode.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/network.h"

static const struct {
    const char *word; /* ends with a colon where an argument follows */
    enum network_mode_kind kind;
} modes[] = {
    {"none", NETWORK_MODE_NONE}, {NETWORK_PASTA, NETWORK_MODE_PASTA},
    {"host", NETWORK_MODE_HOST}, {"container:", NETWORK_MODE_CONTAINER},
    {"ns:", NETWORK_MODE_PATH},  {"cni:", NETWORK_MODE_CNI},
};

enum network_mode_kind network_mode_kind(const char *mode, const char **ret_argument) {
    if (ret_argument)
        *ret_argument = "";
    for (size_t i = 0; mode && i < ARRAY_SIZE(modes); i++) {
        const size_t n = strlen(modes[i].word);
        const bool argument = modes[i].word[n - 1] == ':';

        if (argument ? strncmp(mode, modes[i].word, n) != 0 : strcmp(mode, modes[i].word) != 0)
            continue;
        if (ret_argument)
            *ret_argument = mode + n;
        return modes[i].kind;
    }
    return NETWORK_MODE_NAMED;
}

const char *network_mode_path(const char *mode) {
    const char *path;

    return network_mode_kind(mode, &path) == NETWORK_MODE_PATH ? path : NULL;
}

bool network_mode_is_foreign(const char *mode) {
    switch (network_mode_kind(mode, NULL)) {
    case NETWORK_MODE_HOST:
    case NETWORK_MODE_CONTAINER:
    case NETWORK_MODE_PATH: return true;
    default: return false;
    }
}
