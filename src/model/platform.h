/* Platforms: "linux/arm64/v8" as text, normalised as Docker does it, and the choice of a manifest from an index. Pure. */
#pragma once

#include "model/image_spec.h"

/* The platform of this machine (from uname(2)), normalised. Static storage. */
const struct platform *platform_host(void);
/* Parses "linux/arm/v7", "arm64", "linux"; what is left out is the host's. -EINVAL. */
int platform_parse(const char *text, struct arena *a, struct platform *ret, struct error *e);
/* Canonical names: x86_64 = amd64, aarch64 = arm64, armhf = arm/v7, armel = arm/v6, i386 = 386; arm64/v8 and amd64/v1 lose their
 * variant. */
void platform_normalise(struct platform *p);
/* "linux/amd64", "linux/arm/v7". */
const char *platform_text(const struct platform *p, struct arena *a);
/* How well `have` serves somebody who wants `want`: 0 not at all; larger is better (an older arm variant serves a newer one). */
int platform_match(const struct platform *want, const struct platform *have);
/* The best entry of the index for `want` (NULL = the host). Attestations and entries without a platform count last. -ENOENT names
 * what there is. The result points into the index. */
int platform_choose(const struct image_index *index, const struct platform *want, const struct descriptor **ret, struct error *e);
