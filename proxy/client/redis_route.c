/*
 * Where Redis' commands go, by the rows of resp_commands.h.
 */
#include <ctype.h>

#include "common/bytes/number.h"
#include "proxy/client/internal.h"

static bool has_arity(const struct redis_request *request)
{
    int arity = request->command->arity;

    return arity >= 0 ? request->count == (uint32_t)arity : request->count >= (uint32_t)-arity;
}

static void answer_wrong_count(struct client *client, const struct resp_command *command)
{
    char name[UINT8_MAX + 1];

    for (size_t i = 0; i <= command->name_len; i++)
        name[i] = (char)tolower((unsigned char)command->name[i]);
    redis_answer_error(client, "wrong number of arguments for '%s' command", name);
}

/* Where a request goes that names no key, as with nutcracker. */
static const struct str no_key = {"placeholder", 11};

/* --- one server --- */

/* Which server has the keys that were looked at. */
struct target {
    struct pool *pool;
    struct str key; /* the first */
    struct pool_server *server;
    bool is_set, is_split; /* has a key; has keys of several servers */
};

static void target_add(struct target *target, struct str key)
{
    /* Where any server will do, the first one that is drawn does for all keys. */
    bool is_drawn = target->pool->config->distribution == &distribution_random;
    const char *trouble;

    if (!target->is_set) {
        target->is_set = true;
        target->key = key;
        target->server = NULL;
    } else if (!is_drawn) {
        if (target->server == NULL)
            target->server = pool_pick(target->pool, target->key, &trouble);
        if (pool_pick(target->pool, key, &trouble) != target->server)
            target->is_split = true;
    }
}

/* Adds the words from the `first`, every `step`th, to the `last`; the command's name is word 0. */
static void add_words(struct target *target, const struct redis_request *request, uint32_t first,
                      uint32_t last, uint32_t step)
{
    struct str rest = request->arguments;

    for (uint32_t i = 1; i <= last && rest.len != 0; i++) {
        struct str word = resp_next_argument(&rest);

        if (i >= first && (i - first) % step == 0)
            target_add(target, word);
    }
}

/* The word behind STORE or STOREDIST; options are all words but those that must be there. */
static void add_stored(struct target *target, const struct redis_request *request)
{
    struct str rest = request->arguments;

    for (int i = 1; i < -request->command->arity; i++)
        resp_next_argument(&rest);
    while (rest.len != 0) {
        struct str option = resp_next_argument(&rest);

        if (rest.len == 0)
            break;
        if (redis_is_word(option, "STORE") || redis_is_word(option, "STOREDIST"))
            target_add(target, resp_next_argument(&rest));
        else if (redis_is_word(option, "BY") || redis_is_word(option, "GET"))
            resp_next_argument(&rest);
    }
}

/* Their number stands before the keys. NULL, or what is wrong. */
static const char *add_counted(struct target *target, const struct redis_request *request)
{
    const struct resp_command *command = request->command;
    uint32_t first = (uint32_t)command->first, count = 0;
    struct str rest = request->arguments, word = {0};

    for (uint32_t i = 1; i <= first; i++)
        word = resp_next_argument(&rest);
    if (!number_parse_u32(word, &count))
        return "value is not an integer or out of range";
    if (count == 0)
        return "at least 1 key is needed to know which server is meant";
    if (count > request->count - 1 - first)
        return "Number of keys can't be greater than number of args";
    if (command->last != 0)
        add_words(target, request, (uint32_t)command->last, (uint32_t)command->last, 1);
    add_words(target, request, first + 1, first + count, 1);
    return NULL;
}

static void send_to_one(struct client *client, const struct plan_input *input)
{
    const struct redis_request *request = input->redis;
    const struct resp_command *command = request->command;
    struct target target = {.pool = input->pool};
    const char *error = NULL;

    if (command->way == RESP_COUNTED)
        error = add_counted(&target, request);
    else
        add_words(&target, request, (uint32_t)command->first,
                  command->last < 0 ? request->count - 1 : (uint32_t)command->last,
                  (uint32_t)command->step);
    if (command->way == RESP_ONE_OR_STORE)
        add_stored(&target, request);
    if (error != NULL)
        redis_answer_error(client, "%s", error);
    else if (target.is_split)
        client_answer(client,
                      STR("-CROSSSLOT Keys in request are on different servers of the pool; "
                          "a hash tag keeps them together\r\n"));
    else if (!plan_redis(input, target.is_set ? target.key : no_key))
        client_answer_no_memory(client);
}

/* --- several --- */

static void split(struct client *client, const struct plan_input *input)
{
    const struct redis_request *request = input->redis;
    uint32_t step = request->command->way == RESP_MSET ? 2 : 1;
    struct str rest = request->arguments;

    if ((request->count - 1) % step != 0) {
        answer_wrong_count(client, request->command);
        return;
    }
    if (request->count - 1 == step || input->pool->config->server_count == 1) {
        if (!plan_redis(input, resp_next_argument(&rest)))
            client_answer_no_memory(client);
    } else if (!plan_redis_split(input)) {
        client_answer_no_memory(client);
    }
}

static void send_to_any(struct client *client, const struct plan_input *input)
{
    if (!plan_redis(input, no_key))
        client_answer_no_memory(client);
}

static void answer_refusal(struct client *client, const struct resp_command *command)
{
    static const char *const reasons[] = {
        [RESP_BLOCKS] = "it would hold up all who share the connection to the server",
        [RESP_OWN] = "it needs a connection to the server of its own",
        [RESP_ALL] = "it concerns all servers of the pool",
        [RESP_ADMIN] = "it is for one server; connect to that",
    };

    redis_answer_error(client, "'%s' is not possible through a proxy: %s", command->name,
                       reasons[command->way]);
}

void redis_route(struct client *client, const struct plan_input *input)
{
    const struct redis_request *request = input->redis;

    if (!has_arity(request)) {
        answer_wrong_count(client, request->command);
        return;
    }
    switch ((enum resp_way)request->command->way) {
    case RESP_ONE:
    case RESP_ONE_OR_STORE:
    case RESP_COUNTED:
        send_to_one(client, input);
        break;
    case RESP_MGET:
    case RESP_MSET:
    case RESP_SUM:
        split(client, input);
        break;
    case RESP_ANY:
        send_to_any(client, input);
        break;
    case RESP_HERE:
        redis_answer_here(client, request);
        break;
    case RESP_BLOCKS:
    case RESP_OWN:
    case RESP_ALL:
    case RESP_ADMIN:
        answer_refusal(client, request->command);
        break;
    }
}
