/* The subset of Go's text/template that Docker's users write after --format: field chains, index, range, if, with, variables,
 * pipes, comparisons, printf and friends, and Docker's own functions (json, split, join, title, lower, upper, pad, truncate).
 *
 * Data is JSON text, so what a template sees is what `inspect` prints. A field is looked up by its exact name, then without regard
 * to case (Docker's Go structs say ID where its JSON says Id). A field with one argument indexes the object it finds:
 * {{.Label "com.example"}}.
 *
 * Left out: define, template, block, html, js, urlquery, slice, call: each is an error by name.
 *
 * Source: pkg.go.dev/text/template; docker-cli's templates package. */
#pragma once

#include "base/buf.h"
#include "base/error.h"

struct template;

/* -EINVAL with Go's wording ("template parsing error: template: :1: …"). */
int template_parse(const char *text, struct template **ret, struct error *e);
struct template *template_free(struct template *t); /* NULL is fine; returns NULL */

static inline void template_freep(struct template **t) {
    *t = template_free(*t);
}
#define _cleanup_template_ _cleanup_(template_freep)

/* Appends the output for one JSON document. -EINVAL: a field that is not there, a function with unfitting arguments; what was
 * appended before stays in `out`, so callers print it only on success. */
int template_execute(const struct template *t, const char *json, size_t n, struct buf *out, struct error *e);
/* The same; fields that the document's top has not are looked up in `more` (a JSON object), which `json .` does not show. */
int template_execute_more(const struct template *t, const char *json, size_t n, const struct buf *more, struct buf *out,
                          struct error *e);

/* The same for a document encoded by `type` (base/json.h): a field that it left out because it is empty has its empty value. */
struct json_table;
int template_execute_typed(const struct template *t, const char *json, size_t n, const struct json_table *type, struct buf *out,
                           struct error *e);

/* Makes tab and newline of \t and \n outside of {{…}}, as people type them into shells. The caller owns the result. */
char *template_unescape(const char *text);
