/* How users write mounts: -v, --mount and --tmpfs, and one form (struct mount_point) for all of them. Pure: whether a source exists
 * is for the engine to see. Sentences are Docker's where scripts may look at them. */
#pragma once

#include "model/container.h"

/* -v: "TARGET", "SOURCE:TARGET", "SOURCE:TARGET:OPTIONS", "TARGET:OPTIONS". SOURCE is an absolute path (bind; made when missing), a
 * path that begins with "." (taken from `cwd`, which may be NULL for the API: then refused), or a volume's name. OPTIONS, by
 * commas: ro rw rro z Z U O idmap nocopy copy [r]shared [r]slave [r]private bind rbind [no]exec [no]suid [no]dev. -EINVAL. */
int volume_text_parse(const char *text, const char *cwd, struct arena *a, struct mount_point *ret, struct error *e);

/* --mount: "type=bind,source=/a,target=/b,readonly,…" (commas; a field with commas in double quotes). -EINVAL. */
int mount_text_parse(const char *text, const char *cwd, struct arena *a, struct mount_request *ret, struct error *e);

/* What a --mount request (or an item of the API's Mounts) means. -EINVAL. */
int mount_request_point(const struct mount_request *request, struct arena *a, struct mount_point *ret, struct error *e);

/* --tmpfs "PATH[:OPTIONS]", from the API as a pair. Options are checked: size mode uid gid nr_inodes nr_blocks and flags. */
int tmpfs_text_parse(const char *path, const char *options, struct arena *a, struct mount_point *ret, struct error *e);

/* A target in the container: absolute, without "..", not "/"; cleaned of doubled and trailing slashes. */
int mount_target_clean(const char *target, struct arena *a, const char **ret, struct error *e);
