#include <string.h>

#include "cli/command.h"
#include "cli/format.h"
#include "engine/info.h"
#include "model/config.h"
#include "model/units.h"

struct format_options {
    const char *format;
};

static const struct option format_table[] = {
    OPTION_FORMAT(struct format_options, format),
    OPTION_END,
};

static int print_document(const struct json_table *table, const void *object, const char *format, struct cli *cli, struct buf *out,
                          struct error *e) {
    _cleanup_buf_ struct buf json = BUF_INIT;
    struct strs documents = {0};

    json_encode(table, object, 0, &json);
    strs_add(&cli->arena, &documents, buf_text(&json));
    return format_documents(format, &documents, table, out, e);
}

/* --- info ----------------------------------------------------------------------------------------------------------------------
 */

static void print_info(const struct system_info *i, struct buf *out) {
    _cleanup_buf_ struct buf memory = BUF_INIT;

    size_human_binary(i->mem_total, &memory);
    buf_printf(
        out,
        "Containers: %lld\n Running: %lld\n Paused: %lld\n Stopped: %lld\nImages: %lld\nServer Version: %s\nStorage Driver: %s\n"
        "Logging Driver: %s\nCgroup Driver: %s\nCgroup Version: %s (%s)\nSecurity Options:\n",
        (long long)i->containers, (long long)i->running, (long long)i->paused, (long long)i->stopped, (long long)i->images,
        i->server_version, i->driver, i->logging_driver, i->cgroup_driver ? i->cgroup_driver : "none",
        i->cgroup_version ? i->cgroup_version : "none", i->cgroup_layout ? i->cgroup_layout : "none");
    for (size_t k = 0; k < i->security_options.n; k++)
        buf_printf(out, " %s\n", i->security_options.v[k] + strlen("name="));
    buf_printf(
        out,
        "Kernel Version: %s\nOperating System: %s\nOSType: %s\nArchitecture: %s\nCPUs: %lld\nTotal Memory: %s\nName: %s\nID: %s\n"
        "Data Root: %s\nRun Root: %s\nRootless: %s\nConfiguration:\n",
        i->kernel_version, i->operating_system, i->os_type, i->architecture, (long long)i->ncpu, buf_text(&memory), i->name, i->id,
        i->root, i->run_root, i->rootless ? "true" : "false");
    for (const struct config_key *key = config_keys; key->name; key++)
        buf_printf(out, " %s = %s\n", key->name, map_get(&i->config, key->name));
}

static int info_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    const struct format_options *o = options;
    _cleanup_buf_ struct buf out = BUF_INIT;
    const struct config *config;
    struct system_info info;
    struct engine *engine;
    int r = cli_config(cli, &config, e);

    if (r >= 0)
        r = cli_engine(cli, &engine, e);
    if (r >= 0)
        r = system_info(engine, config, &cli->arena, &info, e);
    if (r < 0)
        return r;
    if (o->format) {
        r = print_document(&system_info_table, &info, o->format, cli, &out, e);
        return r < 0 ? r : cli_write(&out, e);
    }
    print_info(&info, &out);
    r = cli_write(&out, e);
    for (size_t i = 0; i < info.warnings.n; i++)
        fprintf(stderr, "%s\n", info.warnings.v[i]);
    return r;
}

const struct command command_info = {
    .names = {"info", "system info"},
    .summary = "Display system-wide information",
    COMMAND_OPTIONS(struct format_options, format_table),
    .run = info_run,
};

/* --- version -------------------------------------------------------------------------------------------------------------------
 */

struct version_answer {
    struct version_half client, server;
};

static const struct json_field version_fields[] = {
    JSON_FIELD_OF(struct version_answer, client, "Client", JSON_OBJ, 0, &version_client_table),
    JSON_FIELD_OF(struct version_answer, server, "Server", JSON_OBJ, 0, &version_server_table),
    JSON_END,
};
static const struct json_table version_table = JSON_TABLE("version", struct version_answer, version_fields);

static int version_run(struct cli *cli, const void *options, const struct strs *args _unused_, struct error *e) {
    const struct format_options *o = options;
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct version_answer v;
    int r = 0;

    version_fill(&cli->arena, &v.client);
    v.server = v.client;
    if (o->format)
        r = print_document(&version_table, &v, o->format, cli, &out, e);
    else
        buf_printf(&out,
                   "Client:\n Version:           %s\n API version:       %s\n OS/Arch:           linux/%s\n\n"
                   "Server: tare (the same program: there is no daemon)\n Engine:\n  Version:          %s\n"
                   "  API version:      %s (minimum version %s)\n  OS/Arch:          linux/%s\n  Kernel:           %s\n",
                   v.client.version, v.client.api_version, v.client.arch, v.server.version, v.server.api_version,
                   v.server.min_api_version, v.server.arch, v.server.kernel_version);
    return r < 0 ? r : cli_write(&out, e);
}

const struct command command_version = {
    .names = {"version"},
    .summary = "Show the version information",
    COMMAND_OPTIONS(struct format_options, format_table),
    .run = version_run,
};
