#include "network/cni_file.h"

#include <string.h>

#include "base/fs.h"

#define CNI_FILE_MAX ((size_t)4 << 20)

json_object *cni_json_parse(const char *text, size_t n) {
    json_tokener *t = json_tokener_new();
    json_object *o = NULL;

    if (t && n <= INT32_MAX)
        o = json_tokener_parse_ex(t, text, (int)n);
    json_tokener_free(t);
    if (json_object_is_type(o, json_type_object))
        return o;
    json_object_put(o);
    return NULL;
}

const char *cni_text(json_object *object, const char *key) {
    json_object *value = object ? json_object_object_get(object, key) : NULL;

    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

bool cni_capable(json_object *plugin, const char *capability) {
    json_object *all = json_object_object_get(plugin, "capabilities");

    return json_object_is_type(all, json_type_object) && json_object_get_boolean(json_object_object_get(all, capability));
}

int cni_file_read(int dirfd, const char *path, json_object **ret, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    json_object *file;
    int r = fs_read_at(dirfd, path, CNI_FILE_MAX, &text, e);

    if (r < 0)
        return r;
    file = cni_json_parse(buf_text(&text), text.size);
    if (!file || json_object_get_int(json_object_object_get(file, "format")) != CNI_FILE_FORMAT ||
        !json_object_is_type(json_object_object_get(file, "config"), json_type_object)) {
        json_object_put(file);
        return error_set(e, -EPROTO, "the file of the CNI attachment (%s) is damaged or of another version", path);
    }
    *ret = file;
    return 0;
}

int cni_file_write(int dirfd, const char *path, json_object *file, struct error *e) {
    const char *text = json_object_to_json_string_ext(file, JSON_C_TO_STRING_PRETTY);

    return fs_replace_at(dirfd, path, text, strlen(text), 0600, FS_SYNC, e);
}
