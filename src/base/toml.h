/* TOML 1.0 as JSON text, so that a document's structs and errors come from the same field tables (base/json.h) as everything else.
 * Dates and times become strings; comments and the layout are lost. Everything else of the language is read: tables, arrays of
 * tables, dotted keys, inline tables, all kinds of strings and numbers. Source: toml.io/en/v1.0.0. */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#define TOML_DEPTH_MAX 32

/* -EINVAL: "FILE:LINE: what is wrong"; `file` is for messages only. */
int toml_to_json(const char *text, size_t n, const char *file, struct buf *ret, struct error *e);
