/* A user namespace that exists only for its mappings, for idmapped mounts. Source: user_namespaces(7), mount_setattr(2). */
#pragma once

#include "base/error.h"

/* A descriptor of it. The texts are of uid_map and gid_map; gids NULL: as uids. */
int userns_of_maps(const char *uids, const char *gids, struct error *e);
