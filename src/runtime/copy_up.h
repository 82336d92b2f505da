/* Fills a new tmpfs with what the directory below it holds (option tmpcopyup): directories, files, links with owners, modes and
 * times; no devices. By descriptors, following no links, within caps. */
#pragma once

#include "base/error.h"

#define COPY_UP_DEPTH_MAX 64
#define COPY_UP_NAME_MAX  256

/* `from` may be O_PATH. -EFBIG when deeper than COPY_UP_DEPTH_MAX; -ENOSPC when the tmpfs is too small. */
int copy_up(int from, int to, struct error *e);
