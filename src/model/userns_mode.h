/* --userns, as Podman writes it: "host", "auto[:size=N]", "keep-id[:uid=N,gid=N]", "nomap". Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum userns_kind { USERNS_HOST, USERNS_AUTO, USERNS_KEEP_ID, USERNS_NOMAP };

struct userns_mode {
    enum userns_kind kind;
    uint32_t size;         /* auto: ids inside; 0 = the default */
    bool has_uid, has_gid; /* keep-id: else the caller's own */
    uint32_t uid, gid;
};

/* NULL and "" are host. -EINVAL with a sentence. */
int userns_mode_parse(const char *text, struct userns_mode *ret, struct error *e);
