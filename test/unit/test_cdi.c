/* What vendors' files and --gpus say: YAML as JSON, the checks of the tables, the fields of a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/yaml_json.h"
#include "model/cdi.h"
#include "model/gpu.h"

struct sample {
    const char *name;
    struct strs list;
    struct opt_i64 number;
    struct map map;
    bool flag;
};
static const struct json_field sample_fields[] = {
    JSON_FIELD(struct sample, name, "name", JSON_STR, 0),         JSON_FIELD(struct sample, list, "list", JSON_STRS, 0),
    JSON_FIELD(struct sample, number, "number", JSON_OPT_I64, 0), JSON_FIELD(struct sample, map, "map", JSON_MAP, 0),
    JSON_FIELD(struct sample, flag, "flag", JSON_BOOL, 0),        JSON_END,
};
static const struct json_table sample_table = JSON_TABLE("sample", struct sample, sample_fields);

static void yaml_is(const char *yaml, const char *json) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;

    if (yaml_to_json(&sample_table, yaml, strlen(yaml), &out, &e) < 0)
        fail_msg("%s: %s", yaml, e.text);
    assert_string_equal(buf_text(&out), json);
}

static void yaml_fails(const char *yaml, int code, const char *text) {
    _cleanup_buf_ struct buf out = BUF_WITH_MAX(100000);
    _cleanup_error_ struct error e = ERROR_INIT;

    assert_int_equal(yaml_to_json(&sample_table, yaml, strlen(yaml), &out, &e), code);
    if (!strstr(e.text, text))
        fail_msg("%s, not %s", e.text, text);
}

static void the_table_says_what_a_scalar_is(void **state) {
    (void)state;
    yaml_is("name: 0\nlist: [1, yes, 'x']\nnumber: 0640\nmap: {a: 1, b: true}\nflag: on\n",
            "{\"name\":\"0\",\"list\":[\"1\",\"yes\",\"x\"],\"number\":416,\"map\":{\"a\":\"1\",\"b\":\"true\"},\"flag\":true}");
    yaml_is("number: 0o17\nflag: False", "{\"number\":15,\"flag\":false}");
    yaml_is("number: 0x1F", "{\"number\":31}");
    yaml_is("number: -5", "{\"number\":-5}");
    yaml_is("number: '5'", "{\"number\":\"5\"}"); /* quoted, so text: the table refuses it then */
    yaml_is("number: 0o", "{\"number\":\"0o\"}");
    yaml_is("number: 99999999999999999999", "{\"number\":\"99999999999999999999\"}");
    yaml_is("name: ~\nlist:\n", "{\"name\":null,\"list\":null}");
    yaml_is("unknown: {x: [1, 2.5, z]}", "{\"unknown\":{\"x\":[1,\"2.5\",\"z\"]}}");
    yaml_is("--- # first\nname: |\n  a\n  \"b\"\n", "{\"name\":\"a\\n\\\"b\\\"\\n\"}");
    yaml_is("list: &l [a]\nmap: {x: y}\nunknown: *l", "{\"list\":[\"a\"],\"map\":{\"x\":\"y\"},\"unknown\":[\"a\"]}");
    yaml_is("{\"name\": \"json\"}", "{\"name\":\"json\"}");
}

static void what_is_not_read_is_told_with_its_line(void **state) {
    (void)state;
    yaml_fails("", -EBADMSG, "nothing");
    yaml_fails("name: [\n", -EBADMSG, "line 2");
    yaml_fails("name: a\nname: b", -EBADMSG, "line 2: a key stands there twice");
    yaml_fails("a: &x {b: c}\n<<: *x", -ENOTSUP, "merge keys");
    yaml_fails("? [a]\n: b", -ENOTSUP, "no scalar");
    yaml_fails("name: a\n---\nname: b", -ENOTSUP, "second document");
    yaml_fails("a: &x [*x]", -EBADMSG, "too deep");
    /* Nine nines of aliases. */
    yaml_fails("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
               "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
               "g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n",
               -EBADMSG, "too large");
}

static void cdi_is(const char *edits, const char *wrong) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;
    struct cdi_file f;
    const char *text = arena_printf(
        &a, "{\"cdiVersion\":\"1.0.0\",\"kind\":\"v.com/c\",\"devices\":[{\"name\":\"0\",\"containerEdits\":%s}]}", edits);
    int r = cdi_file_decode(text, strlen(text), false, &a, &f, &e);

    if (!wrong && r < 0)
        fail_msg("%s: %s", edits, e.text);
    if (wrong && (r == 0 || !strstr(e.text, wrong)))
        fail_msg("%s: %s, not %s", edits, r == 0 ? "read" : e.text, wrong);
}

static void devices_are_checked(void **state) {
    (void)state;
    cdi_is("{\"env\":[\"A=b\"],\"hooks\":[{\"hookName\":\"poststop\",\"path\":\"/x\",\"args\":[\"x\"],\"timeout\":3}]}", NULL);
    cdi_is("{}", "changes nothing");
    cdi_is("{\"env\":[\"A\"]}", "containerEdits.env");
    cdi_is("{\"env\":[\"=b\"]}", "containerEdits.env");
    cdi_is("{\"deviceNodes\":[{\"path\":\"\"}]}", "is empty");
    cdi_is("{\"deviceNodes\":[{\"path\":\"/d\",\"type\":\"x\"}]}", "type");
    cdi_is("{\"deviceNodes\":[{\"path\":\"/d\",\"permissions\":\"rx\"}]}", "not made of r, w and m");
    cdi_is("{\"deviceNodes\":[{\"path\":\"/d\",\"permissions\":\"none\"}]}", NULL);
    cdi_is("{\"deviceNodes\":[{\"path\":\"/d\",\"major\":-1}]}", "out of range");
    cdi_is("{\"hooks\":[{\"hookName\":\"never\",\"path\":\"/x\"}]}", "there is no hook never");
    cdi_is("{\"hooks\":[{\"hookName\":\"prestart\",\"path\":\"/x\",\"timeout\":0}]}", "not above zero");
    cdi_is("{\"netDevices\":[{\"hostInterfaceName\":\"eth7\"}]}", "name");
    cdi_is("{\"env\":[\"A=b\"]}},{\"name\":\"0\",\"containerEdits\":{\"env\":[\"A=b\"]}", "0 is there twice");
}

static void gpus(const char *text, const char *want) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;
    _cleanup_buf_ struct buf got = BUF_INIT;
    struct device_request q;

    if (gpu_request_parse(text, &a, &q, &e) < 0) {
        buf_printf(&got, "%s", e.text);
    } else {
        buf_printf(&got, "%s %d ", q.driver, q.count);
        for (size_t i = 0; i < q.device_ids.n; i++)
            buf_printf(&got, "%s ", q.device_ids.v[i]);
        buf_add_str(&got, q.capabilities);
    }
    assert_string_equal(buf_text(&got), want);
}

static void gpus_are_read_as_docker_reads_them(void **state) {
    (void)state;
    gpus("all", " -1 [[\"gpu\"]]");
    gpus("2", " 2 [[\"gpu\"]]");
    gpus("count=3,driver=nvidia", "nvidia 3 [[\"gpu\"]]");
    gpus("driver=amd", "amd 1 [[\"gpu\"]]");
    gpus("\"device=0,GPU-3a\"", " 0 0 GPU-3a [[\"gpu\"]]");
    gpus("device=0,1", " 0 0 1 [[\"gpu\"]]");
    gpus("\"device=0,1\",\"capabilities=compute,utility\"", " 0 0 1 [[\"compute\",\"utility\",\"gpu\"]]");
    gpus("", "--gpus : all, a number, or device=ID[,ID...] is expected");
    gpus("some", "--gpus some: invalid count (some): value must be either \"all\" or an integer");
    gpus("0", "--gpus 0: invalid count (0): value must be either \"all\" or an integer");
    gpus("1,count=2", "--gpus 1,count=2: gpu request key 'count' can be specified only once");
    gpus("1,device=2", "--gpus 1,device=2: cannot set both Count and DeviceIDs on device request");
    gpus("colour=red", "--gpus colour=red: unexpected key 'colour' in 'colour=red'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_says_what_a_scalar_is),
        cmocka_unit_test(what_is_not_read_is_told_with_its_line),
        cmocka_unit_test(devices_are_checked),
        cmocka_unit_test(gpus_are_read_as_docker_reads_them),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
