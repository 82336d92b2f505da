/* The table of the program's commands: what is not listed here does not exist. Sorted by name, as --help shows them. */
#include "cli/command.h"

#define GROUP(name, text) (&(const struct command){.names = {name}, .summary = text, .flags = COMMAND_GROUP})

extern const struct command command_import, command_load, command_login, command_logout, command_pull;
extern const struct command command_network_create;
extern const struct command command_network_explain;
extern const struct command command_network_inspect;
extern const struct command command_network_ls;
extern const struct command command_network_prune;
extern const struct command command_network_reload;
extern const struct command command_network_rm;
extern const struct command command_run, command_create;
extern const struct command command_version;
extern const struct command command_volume_create, command_volume_inspect, command_volume_ls, command_volume_prune,
    command_volume_rm;

const struct command *const commands[] = {
    /* groups */
    GROUP("container", "Manage containers"),
    GROUP("image", "Manage images"),
    GROUP("network", "Manage networks"),
    GROUP("system", "Manage tare"),
    GROUP("volume", "Manage volumes"),
    /* commands */
    &command_create,
    &command_import,
    &command_load,
    &command_login,
    &command_logout,
    &command_network_create,
    &command_network_explain,
    &command_network_inspect,
    &command_network_ls,
    &command_network_prune,
    &command_network_reload,
    &command_network_rm,
    &command_pull,
    &command_run,
    &command_version,
    &command_volume_create,
    &command_volume_inspect,
    &command_volume_ls,
    &command_volume_prune,
    &command_volume_rm,
    NULL,
};
