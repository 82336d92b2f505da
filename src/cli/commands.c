/* The program's commands. Each is one line of commands.list (sorted: --help shows them in that order) and one `struct command
 * command_NAME` in the command's own file; what is not listed does not exist. */
#include "cli/command.h"

#define COMMAND(name) extern const struct command command_##name;
#include "cli/commands.list"
#undef COMMAND

#define GROUP(name, text) (&(const struct command){.names = {name}, .summary = text, .flags = COMMAND_GROUP})
#define COMMAND(name)     &command_##name,

const struct command *const commands[] = {
    /* clang-format off */
    GROUP("container", "Manage containers"),
    GROUP("image", "Manage images"),
    GROUP("network", "Manage networks"),
    GROUP("secret", "Manage secrets"),
    GROUP("system", "Manage tare"),
    GROUP("volume", "Manage volumes"),
#include "cli/commands.list"
    NULL,
    /* clang-format on */
};
