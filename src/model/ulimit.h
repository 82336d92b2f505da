/* "NAME=SOFT[:HARD]" of --ulimit and tare.conf. */
#pragma once

#include "model/container.h"

/* -1 is no limit. -EINVAL with Docker's words. */
int ulimit_parse(const char *text, struct ulimit *ret, struct error *e);
