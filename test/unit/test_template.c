/* Templates and tables: what Docker's users write after --format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/template.h"
#include "cli/format.h"

static const char document[] =
    "{\"Id\":\"abc\",\"Name\":\"/web\",\"State\":{\"Running\":true,\"Pid\":42,\"ExitCode\":0,\"Error\":\"\"},"
    "\"Mounts\":[{\"Source\":\"/a\",\"Destination\":\"/b\"},{\"Source\":\"/c\",\"Destination\":\"/d\"}],\"Empty\":[],\"Null\":null,"
    "\"Config\":{\"Labels\":{\"com.example/"
    "x\":\"1\",\"b\":\"2\"},\"Env\":[\"A=1\",\"B=2\"]},\"Rate\":1.5,\"Big\":18446744073709551615,"
    "\"Ports\":{\"80/tcp\":[{\"HostPort\":\"8080\"}],\"443/tcp\":null}}";

struct sample {
    const char *template;
    const char *out; /* NULL: an error that contains `error` */
    const char *error;
};

static const struct sample samples[] = {
    {"plain", "plain", NULL},
    {"{{.Id}} {{.ID}} {{ .State.Pid }}", "abc abc 42", NULL},
    {"{{json .State}}", "{\"Running\":true,\"Pid\":42,\"ExitCode\":0,\"Error\":\"\"}", NULL},
    {"{{.State.Running}}/{{.Rate}}/{{.Big}}/{{.Null}}", "true/1.5/18446744073709551615/<no value>", NULL},
    {"{{index .Config.Labels \"com.example/x\"}}", "1", NULL},
    {"{{index .Config.Labels \"none\"}}|", "<no value>|", NULL},
    {"{{(index (index .Ports \"80/tcp\") 0).HostPort}}", "8080", NULL},
    {"{{index .Ports \"80/tcp\" 0 | json}}", "{\"HostPort\":\"8080\"}", NULL},
    {"{{range .Mounts}}{{.Source}}:{{.Destination}};{{end}}", "/a:/b;/c:/d;", NULL},
    {"{{range $i, $m := .Mounts}}{{if $i}},{{end}}{{$i}}={{$m.Source}}{{end}}", "0=/a,1=/c", NULL},
    {"{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}", "b=2 com.example/x=1 ", NULL},
    {"{{range .Empty}}x{{else}}none{{end}}", "none", NULL},
    {"{{range $p, $c := .Ports}}{{if $c}}{{$p}} -> {{(index $c 0).HostPort}}{{else}}{{$p}} closed {{end}}{{end}}",
     "443/tcp closed 80/tcp -> 8080", NULL},
    {"{{range .Mounts}}{{.Source}}{{break}}{{end}}", "/a", NULL},
    {"{{range .Config.Env}}{{if eq . \"A=1\"}}{{continue}}{{end}}{{.}}{{end}}", "B=2", NULL},
    {"{{if .State.Running}}up{{else}}down{{end}}", "up", NULL},
    {"{{if .Null}}a{{else if eq .State.Pid 42}}b{{else}}c{{end}}", "b", NULL},
    {"{{with .State}}{{.Pid}} {{$.Id}}{{end}}", "42 abc", NULL},
    {"{{with .Null}}x{{else}}y{{end}}", "y", NULL},
    {"{{$x := .State.Pid}}{{$x}}{{$x = 1}}{{$x}}", "421", NULL},
    {"{{len .Mounts}} {{len .Id}} {{len .Config.Labels}}", "2 3 2", NULL},
    {"{{printf \"%s-%d %5d|%-4s|%q %v %%\" .Id .State.Pid 7 \"x\" \"a\\\"b\" .Config.Env}}",
     "abc-42     7|x   |\"a\\\"b\" [A=1 B=2] %", NULL},
    {"{{print 1 2 \"a\" \"b\" 3}} {{println \"x\" 1}}", "1 2ab3 x 1\n", NULL},
    {"{{join .Config.Env \", \"}}", "A=1, B=2", NULL},
    {"{{split .Name \"/\" | json}}", "[\"\",\"web\"]", NULL},
    {"{{upper .Id}}{{lower \"ÀB\"}}{{title \"ab cd\"}}", "ABCÀbAb Cd", NULL},
    {"[{{pad .Id 1 2}}][{{truncate .Name 2}}]", "[ abc  ][/w]", NULL},
    {"{{eq .Id \"x\" \"abc\"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 2.5 2}}", "true true true true false true", NULL},
    {"{{and .Id .State.Pid}} {{or .Null \"x\"}} {{not .Null}} {{and .Null .Nope}}", "42 x true <no value>", NULL},
    {"a {{- .Id -}} b {{/* note */ -}} c", "aabcb c", NULL},
    {"{{`raw\\n`}}{{\"\\u00e9\\x41\"}}", "raw\\néA", NULL},
    {"{{.Config.Labels}}", "map[b:2 com.example/x:1]", NULL},
    {"{{.Nope}}", NULL, "template: :1: executing \"\" at <.Nope>: map has no entry for key \"Nope\""},
    {"{{.Id", NULL, "template parsing error: template: :1: unclosed action"},
    {"a\n{{nope .Id}}", NULL, "template: :2: function \"nope\" not defined"},
    {"{{if .Id}}", NULL, "unexpected EOF"},
    {"{{end}}", NULL, "unexpected {{end}}"},
    {"{{else}}", NULL, "unexpected {{else}}"},
    {"{{index .Mounts 5}}", NULL, "index out of range: 5"},
    {"{{index .Id 5}}", NULL, "can't index item of type string"},
    {"{{define \"x\"}}{{end}}", NULL, "{{define}} is not supported"},
    {"{{.Id | nope}}", NULL, "not defined"},
    {"{{break}}", NULL, "outside {{range}}"},
    {"{{\"x}}", NULL, "unterminated quoted string"},
    {"{{(.Id}}", NULL, "unexpected \"}\" in operand"},
    {"{{len}}", NULL, "wrong number of args for len"},
    {"{{$y}}", NULL, "undefined variable \"$y\""},
    {"{{99999999999999999999}}", NULL, "integer overflow"},
    {"{{.Id \"x\"}}", NULL, "can't give argument to non-function .Id"},
};

static void test_samples(void **state) {
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        _cleanup_template_ struct template *t = NULL;
        _cleanup_error_ struct error e = ERROR_INIT;
        _cleanup_buf_ struct buf out = BUF_INIT;
        int r = template_parse(samples[i].template, &t, &e);

        if (r >= 0)
            r = template_execute(t, document, sizeof document - 1, &out, &e);
        if (samples[i].out) {
            if (r < 0)
                fail_msg("%s: %s", samples[i].template, e.text);
            assert_string_equal(buf_text(&out), samples[i].out);
        } else {
            if (r >= 0 || !strstr(e.text, samples[i].error))
                fail_msg("%s: %s", samples[i].template, r < 0 ? e.text : buf_text(&out));
        }
    }
}

static void test_deep(void **state) {
    _cleanup_error_ struct error e = ERROR_INIT;
    _cleanup_buf_ struct buf text = BUF_INIT;
    struct template *t = NULL;

    buf_add_str(&text, "{{");
    for (int i = 0; i < 1000; i++)
        buf_add_char(&text, '(');
    assert_int_equal(template_parse(buf_text(&text), &t, &e), -EINVAL);
    buf_clear(&text);
    for (int i = 0; i < 1000; i++)
        buf_add_str(&text, "{{if 1}}");
    assert_int_equal(template_parse(buf_text(&text), &t, &e), -EINVAL);
}

static const struct format_column columns[] = {{"ID", "CONTAINER ID"}, {"Names", "NAMES"}, {"Image", "IMAGE"}};
static const struct format_list list = {columns, ARRAY_SIZE(columns), "{{.ID}}\t{{.Names}}\t{{.Image}}", "{{.ID}}"};

static void check_rows(const char *format, bool quiet, const char *want) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_error_ struct error e = ERROR_INIT;
    _cleanup_buf_ struct buf out = BUF_INIT;
    const char *first[] = {"0123456789ab", "wéb", "alpine"}, *second[] = {"ba9876543210", "a-very-long-name", NULL};
    struct pair pair = {"k", "v"};
    struct map labels = {&pair, 1};
    struct list rows = {0};

    LIST_ADD(&a, struct format_row, &rows)->values = first;
    LIST_AT(struct format_row, &rows, 0)->labels = &labels;
    LIST_ADD(&a, struct format_row, &rows)->values = second;
    if (format_rows(&list, format, quiet, &rows, &out, &e) < 0)
        fail_msg("%s: %s", format ? format : "", e.text);
    assert_string_equal(buf_text(&out), want);
}

static void test_rows(void **state) {
    check_rows(NULL, false,
               "CONTAINER ID   NAMES              IMAGE\n"
               "0123456789ab   wéb                alpine\n"
               "ba9876543210   a-very-long-name   \n");
    check_rows(NULL, true, "0123456789ab\nba9876543210\n");
    check_rows("{{.Names}}\\t{{.Label \"k\"}}", false, "wéb\tv\na-very-long-name\t\n");
    check_rows("table {{.Image}}\\t{{.ID}}", false, "IMAGE     CONTAINER ID\nalpine    0123456789ab\n          ba9876543210\n");
    check_rows("{{json .}}", false,
               "{\"ID\":\"0123456789ab\",\"Names\":\"wéb\",\"Image\":\"alpine\"}\n"
               "{\"ID\":\"ba9876543210\",\"Names\":\"a-very-long-name\",\"Image\":\"\"}\n");
    check_rows("json", false,
               "{\"ID\":\"0123456789ab\",\"Names\":\"wéb\",\"Image\":\"alpine\"}\n"
               "{\"ID\":\"ba9876543210\",\"Names\":\"a-very-long-name\",\"Image\":\"\"}\n");
}

static void test_documents(void **state) {
    _cleanup_error_ struct error e = ERROR_INIT;
    _cleanup_buf_ struct buf out = BUF_INIT;
    const char *v[] = {"{\n    \"A\": 1\n}", "{}"};
    struct strs documents = {v, 2}, none = {0};

    assert_int_equal(format_documents(NULL, &documents, NULL, &out, &e), 0);
    assert_string_equal(buf_text(&out), "[\n    {\n        \"A\": 1\n    },\n    {}\n]\n");
    buf_clear(&out);
    assert_int_equal(format_documents("json", &documents, NULL, &out, &e), 0);
    assert_string_equal(buf_text(&out), "{\"A\":1}\n{}\n");
    buf_clear(&out);
    assert_int_equal(format_documents(NULL, &none, NULL, &out, &e), 0);
    assert_string_equal(buf_text(&out), "[]\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_documents),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
