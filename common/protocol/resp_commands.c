#include "common/protocol/resp_commands.h"

#define DESCRIBE(name, arity, first, last, step, way)                                              \
    {#name, sizeof(#name) - 1, RESP_##way, arity, first, last, step, RESP_COMMAND_##name},
const struct resp_command resp_commands[RESP_COMMAND_COUNT] = {RESP_COMMANDS(DESCRIBE)};

/* Letters in capitals; others are far enough from letters to stay what they are. */
static int compare_name(struct str name, const struct resp_command *command)
{
    size_t len = name.len < command->name_len ? name.len : command->name_len;

    for (size_t i = 0; i < len; i++) {
        char c = name.data[i];
        int difference;

        if (c >= 'a' && c <= 'z')
            c = (char)(c - ('a' - 'A'));
        difference = c - command->name[i];
        if (difference != 0)
            return difference;
    }
    return (int)name.len - command->name_len;
}

const struct resp_command *resp_command_find(struct str name)
{
    size_t low = 0, high = RESP_COMMAND_COUNT;

    if (name.len > UINT8_MAX)
        return NULL;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_name(name, &resp_commands[middle]);

        if (order == 0)
            return &resp_commands[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
