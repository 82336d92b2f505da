#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/mount_text.h"

/* A mount point on one line, so that the tables below are readable. */
static const char *show(const struct mount_point *p, struct arena *a) {
    return arena_printf(a, "%s %s %s %s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s", p->type,
                        p->name     ? p->name
                        : p->source ? p->source
                                    : "-",
                        p->destination, p->rw ? "rw" : "ro", p->anonymous ? " anonymous" : "", p->no_copy ? " nocopy" : "",
                        p->non_recursive ? " nonrecursive" : "", p->read_only_non_recursive ? " ro-top" : "",
                        p->read_only_recursive ? " ro-all" : "", p->create_source ? " create" : "", p->chown ? " U" : "",
                        p->overlay ? " O" : "", p->idmap ? " idmap" : "", p->propagation ? " " : "",
                        p->propagation ? p->propagation : "", p->subpath ? " sub=" : "", p->subpath ? p->subpath : "",
                        p->options ? " opt=" : "", p->options ? p->options : "");
}

static void volume_texts(void **state) {
    static const struct {
        const char *text, *shown; /* shown NULL: refused */
    } cases[] = {
        {"/data", "volume - /data rw anonymous"},
        {"/data:ro", "volume - /data ro anonymous"},
        {"web:/data", "volume web /data rw"},
        {"web:/data:ro,nocopy", "volume web /data ro nocopy"},
        {"/srv:/data", "bind /srv /data rw create rprivate"},
        {"/srv:/data/:rro,rslave", "bind /srv /data ro ro-all create rslave"},
        {"/srv:/data:z,U,O,idmap,noexec,bind", "bind /srv /data rw nonrecursive create U O idmap rprivate opt=noexec"},
        {"./x:/data", "bind /home/./x /data rw create rprivate"},
        {".:/a//b/./c", "bind /home/. /a/b/c rw create rprivate"},
        {"..x:/data", NULL},
        {"w:/data", NULL},
        {"web:data", NULL},
        {"web:/data:rw,ro", NULL},
        {"web:/data:fast", NULL},
        {"web:/data:", NULL},
        {":/data", NULL},
        {"web:/", NULL},
        {"web:/a/../b", "volume web /b rw"},
        {"web:/a/b/../../../c/./..//d", "volume web /d rw"},
        {"web:/a/..", NULL},
        {"a:/b:/c:ro", NULL},
        {"we/b:/data", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        _cleanup_error_ struct error e = ERROR_INIT;
        struct mount_point p;
        int r = volume_text_parse(cases[i].text, "/home", &a, &p, &e);

        if ((r < 0) != !cases[i].shown)
            fail_msg("\"%s\": %s", cases[i].text, r < 0 ? e.text : "was accepted");
        if (r == 0)
            assert_string_equal(show(&p, &a), cases[i].shown);
        else
            assert_non_null(e.text);
    }
}

static void mount_texts(void **state) {
    static const struct {
        const char *text, *shown, *message;
    } cases[] = {
        {"type=bind,source=/a,target=/b", "bind /a /b rw rprivate", NULL},
        {"type=bind,src=./a,dst=/b,readonly,bind-propagation=rshared", "bind /home/./a /b ro rshared", NULL},
        {"type=bind,src=/a,dst=/b,ro=true,bind-recursive=readonly", "bind /a /b ro ro-all rprivate", NULL},
        {"type=bind,src=/a,dst=/b,bind-nonrecursive,bind-create-src", "bind /a /b rw nonrecursive create rprivate", NULL},
        {"source=web,target=/b,volume-nocopy=1,volume-subpath=x/y", "volume web /b rw nocopy sub=x/y", NULL},
        {"target=/b", "volume - /b rw anonymous", NULL},
        {"type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777", "tmpfs - /t rw opt=size=1048576,mode=1777", NULL},
        {"\"type=bind\",\"source=/a,b\",target=/b", "bind /a,b /b rw rprivate", NULL},
        {"type=image,source=alpine,target=/i,image-subpath=etc", "image alpine /i rw sub=etc", NULL},
        {"type=bind,source=/a", NULL, "invalid mount config for type \"bind\": field Target must not be empty"},
        {"type=bind,target=/b", NULL, "invalid mount config for type \"bind\": field Source must not be empty"},
        {"type=bind,source=a,target=/b", NULL,
         "invalid mount config for type \"bind\": invalid mount path: 'a' mount path must be absolute"},
        {"type=tmpfs,source=/a,target=/b", NULL, "invalid mount config for type \"tmpfs\": field Source must not be specified"},
        {"type=volume,src=web,dst=/b,bind-propagation=shared", NULL, "cannot mix 'bind-*' options with mount type 'volume'"},
        {"type=bind,src=/a,dst=/b,bind-recursive=readonly", NULL,
         "option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction"},
        {"type=bind,src=/a,dst=/b,colour=red", NULL, "unexpected key 'colour' in 'colour=red'"},
        {"type=bind,src=/a,dst=/b,fast", NULL, "invalid field 'fast' must be a key=value pair"},
        {"type=bind,src=/a,dst=/b,ro=maybe", NULL, "invalid value for ro: maybe"},
        {"type=disk,src=/a,dst=/b", NULL, "mount type unknown: \"disk\""},
        {"type=bind,src=/a,dst=/b,bind-propagation=loud", NULL, "invalid propagation mode: loud"},
        {"type=tmpfs,dst=/t,tmpfs-mode=999", NULL, "invalid value for tmpfs-mode: 999 (octal, as 1777)"},
        {"", NULL, "value is empty"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_arena_ struct arena a = ARENA_INIT;
        _cleanup_error_ struct error e = ERROR_INIT;
        struct mount_request request;
        struct mount_point p;
        int r = mount_text_parse(cases[i].text, "/home", &a, &request, &e);

        if (r == 0)
            r = mount_request_point(&request, &a, &p, &e);
        if (cases[i].shown) {
            if (r < 0)
                fail_msg("\"%s\": %s", cases[i].text, e.text);
            assert_string_equal(show(&p, &a), cases[i].shown);
        } else {
            assert_int_equal(r, -EINVAL);
            assert_string_equal(e.text, cases[i].message);
        }
    }
}

static void tmpfs_texts(void **state) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct mount_point p;

    (void)state;
    assert_int_equal(tmpfs_text_parse("/run", "rw,noexec,nosuid,size=65536k", &a, &p, NULL), 0);
    assert_string_equal(show(&p, &a), "tmpfs - /run rw opt=rw,noexec,nosuid,size=65536k");
    assert_int_equal(tmpfs_text_parse("/run", NULL, &a, &p, NULL), 0);
    assert_int_equal(tmpfs_text_parse("/run", "fast", &a, &p, NULL), -EINVAL);
    assert_int_equal(tmpfs_text_parse("run", NULL, &a, &p, NULL), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(volume_texts),
        cmocka_unit_test(mount_texts),
        cmocka_unit_test(tmpfs_texts),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
