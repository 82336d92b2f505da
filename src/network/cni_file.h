/* The file of an attachment as JSON, and what both sides of CNI read of it (json-c's objects: configurations are passed through).
 */
#pragma once

#include <json-c/json.h>

#include "base/error.h"

#define CNI_FILE_FORMAT 1

/* An object; NULL when the text is none. The caller puts it. */
json_object *cni_json_parse(const char *text, size_t n);
/* The text of a member; "" when `object` is NULL or has none. Lives as long as the object. */
const char *cni_text(json_object *object, const char *key);
/* Does a plugin's configuration say that it has this capability? */
bool cni_capable(json_object *plugin, const char *capability);
/* -ENOENT; -EPROTO: damaged, or of a later version. The caller puts *ret. */
int cni_file_read(int dirfd, const char *path, json_object **ret, struct error *e);
int cni_file_write(int dirfd, const char *path, json_object *file, struct error *e);
