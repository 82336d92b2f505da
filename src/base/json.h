/* JSON documents as C structs, by field tables: decoding, encoding and the error that names the bad field all come from one table
 * per type.
 *
 *     static const struct json_field user_fields[] = {
 *         JSON_FIELD(struct oci_user, uid, "uid", JSON_U32, JSON_REQUIRED),
 *         JSON_FIELD(struct oci_user, additional_gids, "additionalGids", JSON_U32S, 0),
 *         JSON_END,
 *     };
 *     const struct json_table oci_user_table = JSON_TABLE("user", struct oci_user, user_fields);
 *
 * Decoded values live in the arena. Unknown fields are ignored, as the standards ask. Numbers are range-checked, never rounded;
 * a JSON null counts as absent. Bounds: depth 64, and the size that the caller read at most. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

enum json_kind {
    JSON_STR,       /* const char *; absent = NULL */
    JSON_BOOL,      /* bool */
    JSON_I32,       /* int32_t */
    JSON_U32,       /* uint32_t */
    JSON_I64,       /* int64_t */
    JSON_U64,       /* uint64_t */
    JSON_F64,       /* double */
    JSON_OPT_I64,   /* struct opt_i64 */
    JSON_OPT_U64,   /* struct opt_u64 */
    JSON_OPT_BOOL,  /* struct opt_bool */
    JSON_STRS,      /* struct strs */
    JSON_U32S,      /* struct list of uint32_t */
    JSON_MAP,       /* struct map: object of strings */
    JSON_KEYS,      /* struct strs: the keys of an object of empty objects, as in Docker's {"80/tcp": {}} */
    JSON_OBJ,       /* a struct embedded in place; .type */
    JSON_OBJ_PTR,   /* pointer to a struct, NULL = absent; .type */
    JSON_OBJS,      /* struct list of structs; .type */
    JSON_OBJ_MAP,   /* struct list of structs whose first member is `const char *key`: object of objects; .type */
    JSON_OBJ_LISTS, /* struct list of struct json_objs: object of lists of objects, as Docker's PortBindings; .type of the objects
                     */
    JSON_RAW,       /* const char *: the value's own JSON text, passed through unread */
};

enum json_flag {
    JSON_REQUIRED = 1 << 0,   /* absent is an error */
    JSON_OMIT = 1 << 1,       /* left out of the output when absent, zero, false or empty (Go's omitempty) */
    JSON_NULL_EMPTY = 1 << 2, /* an empty list, map or absent string is written as null (as Go does for nil) */
};

struct json_objs {
    const char *key;
    struct list items; /* empty is written as null */
};

struct json_table;

struct json_field {
    const char *name;
    uint16_t kind;  /* enum json_kind */
    uint16_t flags; /* enum json_flag */
    uint32_t offset;
    const struct json_table *type;                    /* for the kinds that hold structs */
    int (*check)(const void *value, struct error *e); /* after decoding, with the address of the field; NULL = none */
};

struct json_table {
    const char *name; /* what the struct is, for messages */
    size_t size;
    const struct json_field *fields;
    int (*check)(const void *object, struct error *e); /* of the whole struct; NULL = none */
};

#define JSON_FIELD(struct_, member, name_, kind_, flags_)                                                                          \
    { .name = (name_), .kind = (kind_), .flags = (flags_), .offset = offsetof(struct_, member) }
#define JSON_FIELD_OF(struct_, member, name_, kind_, flags_, type_)                                                                \
    { .name = (name_), .kind = (kind_), .flags = (flags_), .offset = offsetof(struct_, member), .type = (type_) }
#define JSON_FIELD_CHECK(struct_, member, name_, kind_, flags_, check_)                                                            \
    { .name = (name_), .kind = (kind_), .flags = (flags_), .offset = offsetof(struct_, member), .check = (check_) }
#define JSON_END                                                                                                                   \
    { .name = NULL }
#define JSON_TABLE(name_, struct_, fields_)                                                                                        \
    { .name = (name_), .size = sizeof(struct_), .fields = (fields_) }

/* Decodes text (n bytes) into *object, which is zeroed first. -EBADMSG: not JSON; -EINVAL: a field is wrong (the message carries
 * its path, as "process.user.uid"); *object is then undefined. */
int json_decode(const struct json_table *type, const char *text, size_t n, struct arena *a, void *object, struct error *e);
/* Appends the object's JSON. `indent` 0 = compact, else that many spaces per level (Docker's inspect uses 4). */
void json_encode(const struct json_table *type, const void *object, unsigned indent, struct buf *out);

/* Writers for the few places without a table; escape as JSON demands (invalid UTF-8 becomes U+FFFD). */
void json_write_string(struct buf *out, const char *s);
void json_write_string_n(struct buf *out, const char *s, size_t n);
