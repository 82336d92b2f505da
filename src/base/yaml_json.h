/* YAML documents, read as the JSON that says the same, so that one field table (base/json.h) decodes both.
 *
 * The table also tells what a plain scalar is: `name: 0` is the text "0" where a string is wanted and a number where one is (what
 * programs in Go make of it). Numbers may be decimal, 0x1f, 0o17 or 017; true and false also yes, no, on, off. Aliases are
 * followed. Source: YAML 1.1 by libyaml. Bounds: depth 64, out's cap. */
#pragma once

#include "base/json.h"

/* Appends the first document's JSON. -EBADMSG: not YAML, or deeper or larger than the bounds; -ENOTSUP: merge keys (<<), keys that
 * are no scalars, a second document. */
int yaml_to_json(const struct json_table *type, const char *text, size_t n, struct buf *out, struct error *e);
