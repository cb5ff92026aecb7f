/*
 * memcached's binary protocol, for clients: servers are spoken to in meta commands.
 */
#include "common/base/version.h"
#include "common/bytes/number.h"
#include "proxy/client/internal.h"

static void answer(struct client *client, const struct mc_binary_request *request,
                   enum mc_binary_status status, struct str value)
{
    char packet[MC_BINARY_HEADER_LEN + 64];

    mc_binary_write_header(packet, request, status, 0, 0, value.len, 0);
    memcpy(packet + MC_BINARY_HEADER_LEN, value.data, value.len);
    client_answer(client, (struct str){packet, MC_BINARY_HEADER_LEN + value.len});
}

static void answer_status(struct client *client, const struct mc_binary_request *request,
                          enum mc_binary_status status)
{
    answer(client, request, status, mc_binary_status_text(status));
}

static void answer_here(struct client *client, const struct mc_binary_request *request)
{
    switch (request->operation) {
    case BINARY_QUIT:
        if (!(request->shape & BINARY_QUIET))
            answer(client, request, BINARY_OK, STR(""));
        client->is_leaving = true;
        break;
    case BINARY_NOOP: /* comes when its turn is: when all before it is done */
        answer(client, request, BINARY_OK, STR(""));
        break;
    case BINARY_VERSION:
        answer(client, request, BINARY_OK, STR(MEMCACHED_VERSION));
        break;
    default:
        answer_status(client, request,
                      request->shape & BINARY_KEY ? BINARY_INVALID : BINARY_NO_SUCH_COMMAND);
    }
}

/* What concerns all servers goes to them in text; false when it is none of these, or may not be. */
static bool route_to_all(struct client *client, struct plan_input input)
{
    const struct mc_binary_request *packet = input.binary;
    struct mc_request text = {.command = &mc_commands[MC_STATS]};
    char words[32] = " ";
    bool is_good;

    if (packet->operation == BINARY_STAT && packet->key.len < sizeof(words) - 1 &&
        client_sums_stats(packet->key)) {
        memcpy(words + 1, packet->key.data, packet->key.len);
        text.rest = (struct str){words, 1 + packet->key.len};
    } else if (packet->operation == BINARY_FLUSH && input.pool->config->allow_flush_all) {
        text.command = &mc_commands[MC_FLUSH_ALL];
        text.rest = (struct str){words, 1 + number_format(words + 1, packet->exptime > INT32_MAX
                                                                         ? INT32_MAX
                                                                         : packet->exptime)};
    } else {
        return false;
    }
    input.packet = packet;
    input.text = &text;
    is_good = packet->operation == BINARY_STAT ? plan_stats(&input) : plan_flush(&input);
    if (!is_good)
        client_answer_no_memory(client);
    return true;
}

static size_t binary_take(struct client *client, struct str in)
{
    struct mc_binary_request request;
    struct plan_input input;
    struct str body;

    switch (mc_binary_parse_request(in, &request)) {
    case PARSE_MORE:
        return 0;
    case PARSE_BAD: /* where the next packet begins is anyone's guess */
        if (request.error == BINARY_OK) {
            client_refuse(client);
        } else {
            answer_status(client, &request, request.error);
            client->is_leaving = true;
        }
        return in.len;
    case PARSE_DONE:
        break;
    }
    if (request.operation == BINARY_UNKNOWN || request.body_len > client_request_max(client)) {
        answer_status(client, &request,
                      request.operation == BINARY_UNKNOWN ? BINARY_NO_SUCH_COMMAND
                                                          : BINARY_TOO_LARGE);
        client->swallowed = request.body_len;
        return request.head_len;
    }
    if (in.len < request.head_len + request.body_len) {
        conn_want(&client->conn, request.head_len + request.body_len);
        return 0;
    }
    body = (struct str){in.data + request.head_len, request.body_len};
    input = client_plan_input(client, body);
    input.binary = &request;
    if (binary_can_be_sent(&request)) {
        if (!plan_binary(&input))
            client_answer_no_memory(client);
    } else if (!route_to_all(client, input)) {
        answer_here(client, &request);
    }
    return request.head_len + request.body_len;
}

const struct dialect binary_dialect = {.take = binary_take, .write_error = binary_write_error};
