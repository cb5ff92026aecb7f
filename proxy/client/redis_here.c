/*
 * Commands of Redis that the proxy answers itself: what drivers say when they connect, and
 * what concerns the connection alone.
 */
#include <stdio.h>
#include <unistd.h>

#include "common/base/version.h"
#include "common/bytes/number.h"
#include "proxy/client/internal.h"

/* The level of Redis' protocol that the commands of resp_commands.h are of. */
#define REDIS_VERSION "7.0.0"

/* A line of a type and a number. */
static void answer_number(struct client *client, char type, uint64_t number)
{
    char line[RESP_NUMBER_ROOM];

    client_answer(client, (struct str){line, resp_write_number(line, type, number)});
}

static void answer_bulk(struct client *client, struct str text)
{
    answer_number(client, '$', text.len);
    client_answer(client, text);
    client_answer(client, STR("\r\n"));
}

static void answer_ok(struct client *client)
{
    client_answer(client, STR("+OK\r\n"));
}

/* --- the connection --- */

static void answer_ping(struct client *client, const struct redis_request *request)
{
    struct str rest = request->arguments;

    if (request->count == 1)
        client_answer(client, STR("+PONG\r\n"));
    else if (request->count == 2)
        answer_bulk(client, resp_next_argument(&rest));
    else
        redis_answer_error(client, "wrong number of arguments for 'ping' command");
}

static void answer_echo(struct client *client, const struct redis_request *request)
{
    struct str rest = request->arguments;

    answer_bulk(client, resp_next_argument(&rest));
}

static void answer_quit(struct client *client, const struct redis_request *request)
{
    (void)request;
    answer_ok(client);
    client->is_leaving = true;
}

static void answer_select(struct client *client, const struct redis_request *request)
{
    struct str rest = request->arguments;
    uint32_t number, ours = client->context->pool->config->redis_db;

    if (!number_parse_u32(resp_next_argument(&rest), &number))
        redis_answer_error(client, "invalid DB index");
    else if (number != ours)
        redis_answer_error(client, "DB index is out of range: the pool serves database %u", ours);
    else
        answer_ok(client);
}

/* Takes as long for any word of a length, so that no byte can be guessed after the other. */
static bool is_password(struct str word, const char *password)
{
    unsigned char difference = word.len != strlen(password);

    for (size_t i = 0; i < word.len && password[i] != '\0'; i++)
        difference |= (unsigned char)(word.data[i] ^ password[i]);
    return difference == 0;
}

/* There is one user, Redis' "default". Says so when he is refused. */
static bool let_in(struct client *client, struct str user, struct str word)
{
    const char *password = client->context->pool->config->redis_auth;

    if (password == NULL) {
        redis_answer_error(client, "Client sent AUTH, but no password is set");
        return false;
    }
    client->is_known = redis_is_word(user, "default") && is_password(word, password);
    if (!client->is_known)
        redis_answer_error(client, "invalid password");
    return client->is_known;
}

static void answer_auth(struct client *client, const struct redis_request *request)
{
    struct str rest = request->arguments;
    struct str first = resp_next_argument(&rest);

    if (request->count > 3)
        redis_answer_error(client, "wrong number of arguments for 'auth' command");
    else if (let_in(client, request->count == 3 ? first : STR("default"),
                    request->count == 3 ? resp_next_argument(&rest) : first))
        answer_ok(client);
}

/* --- what drivers ask first --- */

static void answer_hello_fields(struct client *client)
{
    char text[256];
    int len =
        snprintf(text, sizeof(text),
                 "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n%s\r\n"
                 "$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:%llu\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n"
                 "$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n",
                 REDIS_VERSION, (unsigned long long)client->number + 1);

    client_answer(client, (struct str){text, (size_t)len});
}

/* HELLO [2 [AUTH user password] [SETNAME name]] */
static void answer_hello(struct client *client, const struct redis_request *request)
{
    struct str rest = request->arguments;

    if (rest.len != 0 && !str_equal(resp_next_argument(&rest), STR("2"))) {
        client_answer(client, STR("-NOPROTO unsupported protocol version\r\n"));
        return;
    }
    while (rest.len != 0) {
        struct str word = resp_next_argument(&rest), first, second;

        first = rest.len != 0 ? resp_next_argument(&rest) : STR("");
        if (redis_is_word(word, "SETNAME"))
            continue;
        second = rest.len != 0 ? resp_next_argument(&rest) : STR("");
        if (!redis_is_word(word, "AUTH")) {
            redis_answer_error(client, "syntax error in HELLO option");
            return;
        }
        if (!let_in(client, first, second))
            return;
    }
    if (!client_is_stranger(client))
        answer_hello_fields(client);
    else
        client_answer(client, STR("-NOAUTH HELLO must be called with the client already "
                                  "authenticated, otherwise the HELLO <proto> AUTH <user> <pass> "
                                  "option can be used\r\n"));
}

static void answer_client(struct client *client, const struct redis_request *request)
{
    struct str rest = request->arguments;
    struct str what = resp_next_argument(&rest);

    if (redis_is_word(what, "SETNAME") || redis_is_word(what, "SETINFO") ||
        redis_is_word(what, "NO-EVICT") || redis_is_word(what, "NO-TOUCH"))
        answer_ok(client);
    else if (redis_is_word(what, "GETNAME"))
        client_answer(client, STR("$-1\r\n"));
    else if (redis_is_word(what, "ID"))
        answer_number(client, ':', client->number + 1);
    else
        redis_answer_error(client, "this subcommand of CLIENT is not possible through a proxy");
}

/* As Redis tells it: positions are those of the keys that always stand there. */
static void answer_command_row(struct client *client, const struct resp_command *row)
{
    bool is_counted = row->way == RESP_COUNTED;
    int first = is_counted ? row->last : row->first;
    char text[160];
    int len =
        snprintf(text, sizeof(text), "*6\r\n$%u\r\n%s\r\n:%d\r\n%s:%d\r\n:%d\r\n:%d\r\n",
                 row->name_len, row->name, row->arity,
                 is_counted || row->way == RESP_ONE_OR_STORE ? "*1\r\n+movablekeys\r\n" : "*0\r\n",
                 first, row->last, first != 0 ? row->step : 0);

    client_answer(client, (struct str){text, (size_t)len});
}

static bool is_served(const struct resp_command *row)
{
    return row->way < RESP_BLOCKS;
}

/* COMMAND INFO: a row for each name, none for what is not served. */
static void answer_command_rows(struct client *client, struct str names, uint32_t count)
{
    if (count > RESP_COMMAND_COUNT) {
        redis_answer_error(client, "there are not so many commands");
        return;
    }
    answer_number(client, '*', count);
    while (names.len != 0) {
        const struct resp_command *row = resp_command_find(resp_next_argument(&names));

        if (row != NULL && is_served(row))
            answer_command_row(client, row);
        else
            client_answer(client, STR("*-1\r\n"));
    }
}

static void answer_command(struct client *client, const struct redis_request *request)
{
    struct str rest = request->arguments;
    struct str what = rest.len != 0 ? resp_next_argument(&rest) : STR("");
    uint64_t count = 0;

    for (size_t i = 0; i < RESP_COMMAND_COUNT; i++)
        count += is_served(&resp_commands[i]);
    if (request->count == 1) {
        answer_number(client, '*', count);
        for (size_t i = 0; i < RESP_COMMAND_COUNT; i++) {
            if (is_served(&resp_commands[i]))
                answer_command_row(client, &resp_commands[i]);
        }
    } else if (redis_is_word(what, "COUNT")) {
        answer_number(client, ':', count);
    } else if (redis_is_word(what, "INFO")) {
        answer_command_rows(client, rest, request->count - 2);
    } else if (redis_is_word(what, "DOCS")) { /* there are none */
        answer_number(client, '*', 0);
    } else {
        redis_answer_error(client, "this subcommand of COMMAND is not possible through a proxy");
    }
}

static void answer_info(struct client *client, const struct redis_request *request)
{
    char text[384];
    int len = snprintf(
        text, sizeof(text),
        "# Server\r\nredis_version:%s\r\nredis_mode:standalone\r\n"
        "cacheproxy_version:%s\r\nprocess_id:%d\r\n\r\n"
        "# Clients\r\nconnected_clients:%llu\r\n\r\n"
        "# Persistence\r\nloading:0\r\n\r\n"
        "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n",
        REDIS_VERSION, CACHEPOOL_VERSION, (int)getpid(),
        (unsigned long long)metric_get(&client->context->pool->metrics.client_connections));

    (void)request;
    answer_bulk(client, (struct str){text, (size_t)len});
}

static void answer_mode(struct client *client, const struct redis_request *request)
{
    (void)request;
    answer_ok(client);
}

static void answer_reset(struct client *client, const struct redis_request *request)
{
    (void)request;
    client->is_known = client->context->pool->config->redis_auth == NULL;
    client_answer(client, STR("+RESET\r\n"));
}

typedef void answerer(struct client *client, const struct redis_request *request);

static answerer *const answerers[RESP_COMMAND_COUNT] = {
    [RESP_COMMAND_PING] = answer_ping,       [RESP_COMMAND_ECHO] = answer_echo,
    [RESP_COMMAND_QUIT] = answer_quit,       [RESP_COMMAND_SELECT] = answer_select,
    [RESP_COMMAND_AUTH] = answer_auth,       [RESP_COMMAND_HELLO] = answer_hello,
    [RESP_COMMAND_COMMAND] = answer_command, [RESP_COMMAND_CLIENT] = answer_client,
    [RESP_COMMAND_INFO] = answer_info,       [RESP_COMMAND_READONLY] = answer_mode,
    [RESP_COMMAND_READWRITE] = answer_mode,  [RESP_COMMAND_RESET] = answer_reset,
};

void redis_answer_here(struct client *client, const struct redis_request *request)
{
    answerers[request->command->id](client, request);
}
