#include "runtime/mount_option.h"

#include <linux/mount.h>
#include <string.h>
#include <sys/mount.h>

enum option_kind {
    OPTION_ATTR,        /* set `value`, clear `clear` */
    OPTION_TREE,        /* the same for the whole tree */
    OPTION_PROPAGATION, /* one of MS_… */
    OPTION_BIND,
    OPTION_BIND_TREE,
    OPTION_COPY_UP,
    OPTION_ID_MAP,
    OPTION_ID_MAP_TREE,
    OPTION_REMOUNT,
    OPTION_FLAG, /* of any file system: by its name, as what is the file system's own */
    OPTION_NONE, /* what is so anyway */
};

/* The access-time modes are values of one field, not bits: setting one needs the field cleared. */
#define ATIME MOUNT_ATTR__ATIME

static const struct option {
    const char *name;
    enum option_kind kind;
    uint64_t set;
    uint64_t clear;
} options[] = {
    {"ro", OPTION_ATTR, MOUNT_ATTR_RDONLY, 0},
    {"rw", OPTION_ATTR, 0, MOUNT_ATTR_RDONLY},
    {"nosuid", OPTION_ATTR, MOUNT_ATTR_NOSUID, 0},
    {"suid", OPTION_ATTR, 0, MOUNT_ATTR_NOSUID},
    {"nodev", OPTION_ATTR, MOUNT_ATTR_NODEV, 0},
    {"dev", OPTION_ATTR, 0, MOUNT_ATTR_NODEV},
    {"noexec", OPTION_ATTR, MOUNT_ATTR_NOEXEC, 0},
    {"exec", OPTION_ATTR, 0, MOUNT_ATTR_NOEXEC},
    {"noatime", OPTION_ATTR, MOUNT_ATTR_NOATIME, ATIME},
    {"atime", OPTION_ATTR, MOUNT_ATTR_RELATIME, ATIME},
    {"relatime", OPTION_ATTR, MOUNT_ATTR_RELATIME, ATIME},
    {"norelatime", OPTION_ATTR, MOUNT_ATTR_STRICTATIME, ATIME},
    {"strictatime", OPTION_ATTR, MOUNT_ATTR_STRICTATIME, ATIME},
    {"nostrictatime", OPTION_ATTR, MOUNT_ATTR_RELATIME, ATIME},
    {"nodiratime", OPTION_ATTR, MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", OPTION_ATTR, 0, MOUNT_ATTR_NODIRATIME},
    {"nosymfollow", OPTION_ATTR, MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"symfollow", OPTION_ATTR, 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"rro", OPTION_TREE, MOUNT_ATTR_RDONLY, 0},
    {"rrw", OPTION_TREE, 0, MOUNT_ATTR_RDONLY},
    {"rnosuid", OPTION_TREE, MOUNT_ATTR_NOSUID, 0},
    {"rsuid", OPTION_TREE, 0, MOUNT_ATTR_NOSUID},
    {"rnodev", OPTION_TREE, MOUNT_ATTR_NODEV, 0},
    {"rdev", OPTION_TREE, 0, MOUNT_ATTR_NODEV},
    {"rnoexec", OPTION_TREE, MOUNT_ATTR_NOEXEC, 0},
    {"rexec", OPTION_TREE, 0, MOUNT_ATTR_NOEXEC},
    {"rnoatime", OPTION_TREE, MOUNT_ATTR_NOATIME, ATIME},
    {"ratime", OPTION_TREE, MOUNT_ATTR_RELATIME, ATIME},
    {"rrelatime", OPTION_TREE, MOUNT_ATTR_RELATIME, ATIME},
    {"rnorelatime", OPTION_TREE, MOUNT_ATTR_STRICTATIME, ATIME},
    {"rstrictatime", OPTION_TREE, MOUNT_ATTR_STRICTATIME, ATIME},
    {"rnostrictatime", OPTION_TREE, MOUNT_ATTR_RELATIME, ATIME},
    {"rnodiratime", OPTION_TREE, MOUNT_ATTR_NODIRATIME, 0},
    {"rdiratime", OPTION_TREE, 0, MOUNT_ATTR_NODIRATIME},
    {"rnosymfollow", OPTION_TREE, MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"rsymfollow", OPTION_TREE, 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"private", OPTION_PROPAGATION, MS_PRIVATE, 0},
    {"rprivate", OPTION_PROPAGATION, MS_PRIVATE | MS_REC, 0},
    {"slave", OPTION_PROPAGATION, MS_SLAVE, 0},
    {"rslave", OPTION_PROPAGATION, MS_SLAVE | MS_REC, 0},
    {"shared", OPTION_PROPAGATION, MS_SHARED, 0},
    {"rshared", OPTION_PROPAGATION, MS_SHARED | MS_REC, 0},
    {"unbindable", OPTION_PROPAGATION, MS_UNBINDABLE, 0},
    {"runbindable", OPTION_PROPAGATION, MS_UNBINDABLE | MS_REC, 0},
    {"bind", OPTION_BIND, 0, 0},
    {"rbind", OPTION_BIND_TREE, 0, 0},
    {"tmpcopyup", OPTION_COPY_UP, 0, 0},
    {"idmap", OPTION_ID_MAP, 0, 0},
    {"ridmap", OPTION_ID_MAP_TREE, 0, 0},
    {"defaults", OPTION_NONE, 0, 0},
    {"async", OPTION_NONE, 0, 0},
    {"loud", OPTION_NONE, 0, 0},
    {"nomand", OPTION_NONE, 0, 0},
    {"nolazytime", OPTION_NONE, 0, 0},
    {"noiversion", OPTION_NONE, 0, 0},
    {"remount", OPTION_REMOUNT, 0, 0},
    {"silent", OPTION_NONE, 0, 0},   /* what a file system has to say goes to its context, which nobody reads */
    {"iversion", OPTION_NONE, 0, 0}, /* file systems that have it keep it by themselves; fsconfig(2) has no name for it */
    {"dirsync", OPTION_FLAG, 0, 0},
    {"lazytime", OPTION_FLAG, 0, 0},
    {"mand", OPTION_FLAG, 0, 0},
    {"sync", OPTION_FLAG, 0, 0},
};

static const struct option *find(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

const char *mount_option_name(size_t i) {
    return i < ARRAY_SIZE(options) ? options[i].name : NULL;
}

static void change(uint64_t *set, uint64_t *clear, const struct option *o) {
    uint64_t off = o->clear == ATIME ? ATIME : o->clear; /* the later word wins */

    *set = (*set & ~off) | o->set;
    *clear = (*clear & ~o->set) | o->clear;
}

static int apply(const struct option *o, struct mount_options *m, struct error *e) {
    switch (o->kind) {
    case OPTION_ATTR: change(&m->attr_set, &m->attr_clear, o); break;
    case OPTION_TREE: change(&m->tree_set, &m->tree_clear, o); break;
    case OPTION_PROPAGATION:
        if (m->propagation && m->propagation != o->set)
            return error_set(e, -EINVAL, "option %s contradicts another propagation option", o->name);
        m->propagation = o->set;
        break;
    case OPTION_BIND_TREE: m->recursive = true; /* fall through */
    case OPTION_BIND: m->bind = true; break;
    case OPTION_COPY_UP: m->copy_up = true; break;
    case OPTION_REMOUNT: m->remount = true; break;
    case OPTION_ID_MAP_TREE: m->id_map_recursive = true; /* fall through */
    case OPTION_ID_MAP: m->id_map = true; break;
    case OPTION_FLAG:
    case OPTION_NONE: break;
    }
    return 0;
}

int mount_options_parse(const struct strs *list, struct arena *a, struct mount_options *ret, struct error *e) {
    struct mount_options m = {0};

    for (size_t i = 0; i < list->n; i++) {
        const struct option *o = find(list->v[i]);
        int r;

        if (!o || o->kind == OPTION_FLAG) {
            strs_add(a, &m.data, list->v[i]);
            continue;
        }
        r = apply(o, &m, e);
        if (r < 0)
            return r;
    }
    *ret = m;
    return 0;
}
