/*
 * From top to bottom: packets to meta commands, replies to packets.
 */
#include <endian.h>

#include "common/bytes/base64.h"
#include "common/bytes/number.h"
#include "proxy/plan/plan.h"

/* --- meta commands --- */

/* What a packet is as a meta command: X(operation, name and mode, its value, what it returns). */
static const struct translation {
    uint8_t command; /* enum mc_command_id */
    char mode;       /* of ms and ma */
    const char *returns;
} translations[BINARY_OPERATION_COUNT] = {
    [BINARY_GET] = {MC_MG, 0, " f c v"},       [BINARY_GAT] = {MC_MG, 0, " f c v"},
    [BINARY_TOUCH] = {MC_MG, 0, " f c"},       [BINARY_SET] = {MC_MS, 'S', " c"},
    [BINARY_ADD] = {MC_MS, 'E', " c"},         [BINARY_REPLACE] = {MC_MS, 'R', " c"},
    [BINARY_APPEND] = {MC_MS, 'A', " c"},      [BINARY_PREPEND] = {MC_MS, 'P', " c"},
    [BINARY_DELETE] = {MC_MD, 0, ""},          [BINARY_INCREMENT] = {MC_MA, 'I', " c v"},
    [BINARY_DECREMENT] = {MC_MA, 'D', " c v"},
};

enum { LINE_ROOM = 8 + MC_KEY_MAX + 8 * (NUMBER_TEXT_MAX + 2) };

static char *put(char *out, struct str bytes)
{
    memcpy(out, bytes.data, bytes.len);
    return out + bytes.len;
}

static char *put_number(char *out, char flag, uint64_t number)
{
    *out++ = ' ';
    if (flag != '\0')
        *out++ = flag;
    return out + number_format(out, number);
}

/* Packets have no sign where text has one: a time too late for text is as good as none. */
static char *put_ttl(char *out, char flag, uint32_t exptime)
{
    return put_number(out, flag, exptime > INT32_MAX ? 0 : exptime);
}

/* A word of the text protocol has neither spaces nor control characters. */
static bool is_word(struct str key)
{
    for (size_t i = 0; i < key.len; i++) {
        if ((unsigned char)key.data[i] <= ' ' || key.data[i] == 0x7f)
            return false;
    }
    return true;
}

static char *put_terms(char *p, const struct mc_binary_request *request)
{
    switch (request->operation) {
    case BINARY_SET:
    case BINARY_ADD:
    case BINARY_REPLACE:
        p = put_number(p, 'F', request->flags);
        p = put_ttl(p, 'T', request->exptime);
        break;
    case BINARY_GAT:
    case BINARY_TOUCH:
        p = put_ttl(p, 'T', request->exptime);
        break;
    case BINARY_INCREMENT:
    case BINARY_DECREMENT:
        p = put_number(p, 'D', request->delta);
        p = put_number(p, 'J', request->initial);
        if (request->exptime != UINT32_MAX)
            p = put_ttl(p, 'N', request->exptime);
        break;
    default:
        break;
    }
    return p;
}

static size_t write_line(char *line, const struct mc_binary_request *request)
{
    const struct translation *translation = &translations[request->operation];
    const struct mc_command *command = &mc_commands[translation->command];
    bool encodes = !is_word(request->key);
    char mode = translation->mode;
    char *p = put(line, (struct str){command->name, command->name_len});

    *p++ = ' ';
    p = encodes ? p + base64_encode(p, request->key) : put(p, request->key);
    if (command->traits & MC_STORES)
        p = put_number(p, '\0', request->body_len);
    if (encodes)
        p = put(p, STR(" b"));
    /* With a CAS, add is as good as set: it stores where that is. */
    if (mode == 'E' && request->cas != 0)
        mode = 'S';
    if (mode != '\0') {
        p = put(p, STR(" M"));
        *p++ = mode;
    }
    if (request->cas != 0)
        p = put_number(p, 'C', request->cas);
    p = put_terms(p, request);
    p = put(p, str_of(translation->returns));
    return (size_t)(put(p, STR("\r\n")) - line);
}

static bool binary_write(struct chain *out, const struct request *leaf,
                         const struct plan_input *input)
{
    size_t before = out->len;
    char *line = chain_reserve(out, LINE_ROOM);

    if (line == NULL)
        return false;
    chain_commit(out, write_line(line, input->binary));
    if (!(leaf->command->traits & MC_STORES) ||
        (chain_append(out, input->body, &block_keeper, input->block) &&
         chain_copy(out, STR("\r\n"))))
        return true;
    chain_truncate(out, before);
    return false;
}

/* --- packets --- */

static void reply_packet(struct request *leaf, enum mc_binary_status status, struct str extras,
                         struct str key, size_t value_len, uint64_t cas)
{
    const struct mc_binary_request asked = {.code = leaf->binary.code,
                                            .opaque = leaf->binary.opaque};
    char head[MC_BINARY_HEADER_LEN + 4];

    mc_binary_write_header(head, &asked, status, extras.len, key.len, value_len, cas);
    memcpy(head + MC_BINARY_HEADER_LEN, extras.data, extras.len);
    request_reply(leaf, (struct str){head, MC_BINARY_HEADER_LEN + extras.len}, NULL);
    request_reply(leaf, key, NULL);
}

static void reply_status(struct request *leaf, enum mc_binary_status status, struct str text)
{
    reply_packet(leaf, status, STR(""), STR(""), text.len, 0);
    request_reply(leaf, text, NULL);
}

void binary_write_error(struct request *request, const char *text)
{
    reply_status(request, BINARY_INTERNAL_ERROR, str_of(text));
}

/* The numbers that the flags of a meta reply carry. */
struct returned {
    uint64_t cas;
    uint32_t flags;
};

static bool read_returned(struct str flags, bool has_len, struct returned *returned)
{
    struct str flag;

    *returned = (struct returned){0};
    if (has_len)
        str_next_word(&flags);
    while ((flag = str_next_word(&flags)).len != 0) {
        struct str number = str_skip(flag, 1);

        if (flag.data[0] == 'c' && !number_parse_u64(number, &returned->cas))
            return false;
        if (flag.data[0] == 'f' && !number_parse_u32(number, &returned->flags))
            return false;
    }
    return true;
}

static bool is_quiet(const struct request *leaf)
{
    return (leaf->binary.shape & BINARY_QUIET) != 0;
}

static bool is_retrieval(const struct request *leaf)
{
    return leaf->command->id == MC_MG;
}

static bool is_arithmetic(const struct request *leaf)
{
    return leaf->command->id == MC_MA;
}

static void reply_miss(struct request *leaf)
{
    bool names = (leaf->binary.shape & BINARY_NAMES) != 0;

    if (is_quiet(leaf))
        return;
    if (names)
        reply_packet(leaf, BINARY_NOT_FOUND, STR(""), leaf->key, 0, 0);
    else
        reply_status(leaf, BINARY_NOT_FOUND, mc_binary_status_text(BINARY_NOT_FOUND));
}

/* The outcome that was asked for. */
static void reply_success(struct request *leaf, const struct mc_reply *reply, struct str value,
                          struct block *block)
{
    struct returned returned;
    uint32_t flags;
    uint64_t number;

    if (!read_returned(reply->rest, reply->status == MC_STATUS_VA, &returned)) {
        binary_write_error(leaf, "Invalid argument");
    } else if (is_retrieval(leaf)) {
        bool names = (leaf->binary.shape & BINARY_NAMES) != 0;

        flags = htobe32(returned.flags);
        reply_packet(leaf, BINARY_OK, (struct str){(const char *)&flags, sizeof(flags)},
                     names ? leaf->key : STR(""), value.len, returned.cas);
        request_reply(leaf, value, block);
    } else if (is_quiet(leaf)) {
        return;
    } else if (is_arithmetic(leaf)) {
        while (value.len != 0 && value.data[value.len - 1] == ' ')
            value.len--;
        number = number_parse_u64(value, &number) ? htobe64(number) : 0;
        reply_packet(leaf, BINARY_OK, STR(""), STR(""), sizeof(number), returned.cas);
        request_reply(leaf, (struct str){(const char *)&number, sizeof(number)}, NULL);
    } else {
        reply_packet(leaf, BINARY_OK, STR(""), STR(""), 0, returned.cas);
    }
}

static enum mc_binary_status status_of(const struct request *leaf, int status)
{
    bool joins =
        leaf->binary.operation == BINARY_APPEND || leaf->binary.operation == BINARY_PREPEND;

    if (status == MC_STATUS_EX)
        return BINARY_EXISTS;
    if (joins)
        return BINARY_NOT_STORED;
    if (status == MC_STATUS_NS)
        return leaf->binary.operation == BINARY_ADD       ? BINARY_EXISTS
               : leaf->binary.operation == BINARY_REPLACE ? BINARY_NOT_FOUND
                                                          : BINARY_NOT_STORED;
    return BINARY_NOT_FOUND;
}

/* An error line of the server's. */
void binary_reply_refusal(struct request *leaf, struct str line)
{
    static const struct {
        struct str line;
        enum mc_binary_status status;
    } known[] = {
        {{"SERVER_ERROR object too large for cache\r\n", 41}, BINARY_TOO_LARGE},
        {{"SERVER_ERROR out of memory", 26}, BINARY_OUT_OF_MEMORY},
        {{"CLIENT_ERROR cannot increment or decrement", 42}, BINARY_NOT_A_NUMBER},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (str_starts(line, known[i].line)) {
            reply_status(leaf, known[i].status, mc_binary_status_text(known[i].status));
            return;
        }
    }
    reply_status(leaf, BINARY_INTERNAL_ERROR, (struct str){line.data, line.len - 2});
}

void binary_reply_statistic(struct request *request, struct str name, struct str value)
{
    reply_packet(request, BINARY_OK, STR(""), name, value.len, 0);
    request_reply(request, value, NULL);
}

void binary_reply_done(struct request *request)
{
    if (!is_quiet(request))
        reply_packet(request, BINARY_OK, STR(""), STR(""), 0, 0);
}

static void binary_end(struct request *leaf, int status, struct str bytes, struct block *block)
{
    struct mc_reply reply;
    struct str value = STR("");

    mc_text_parse_reply(bytes, &reply);
    if (status == MC_STATUS_VA)
        value = (struct str){bytes.data + reply.head_len, reply.body_len - 2};
    if (status == MC_STATUS_ERROR)
        binary_reply_refusal(leaf, bytes);
    else if (status == MC_STATUS_HD || status == MC_STATUS_VA || status == MC_STATUS_OK)
        reply_success(leaf, &reply, value, block);
    else if (status == MC_STATUS_EN)
        reply_miss(leaf);
    else
        reply_status(leaf, status_of(leaf, status), mc_binary_status_text(status_of(leaf, status)));
    request_done(leaf);
}

static void binary_fail(struct request *leaf, const char *text)
{
    request_reply_error(leaf, text);
    request_done(leaf);
}

/* As the meta command that it would have gone as. */
static void binary_miss(struct request *leaf, const struct plan_input *input)
{
    uint8_t command = leaf->command->id;

    if (command == MC_MG) {
        binary_end(leaf, MC_STATUS_EN, STR("EN\r\n"), NULL);
        return;
    }
    pool_owe(input->pool, input->binary->key);
    if (command == MC_MS)
        binary_end(leaf, MC_STATUS_NS, STR("NS\r\n"), NULL);
    else
        binary_end(leaf, MC_STATUS_NF, STR("NF\r\n"), NULL);
}

static const struct leaf_ops binary_ops = {
    .write = binary_write, .end = binary_end, .fail = binary_fail, .miss = binary_miss};

bool binary_can_be_sent(const struct mc_binary_request *request)
{
    return translations[request->operation].command != 0 &&
           (is_word(request->key) || BASE64_LEN(request->key.len) <= MC_KEY_MAX);
}

bool plan_binary(const struct plan_input *input)
{
    const struct mc_binary_request *request = input->binary;
    const struct mc_command *command = &mc_commands[translations[request->operation].command];
    struct request *leaf = request_create(input->owner->records, command);

    if (leaf == NULL)
        return false;
    leaf->ops = &binary_ops;
    leaf->binary = request_binary_of(request);
    if (!request_set_key(leaf, request->key)) {
        request_free(leaf);
        return false;
    }
    return plan_send(input, leaf, request->key);
}
