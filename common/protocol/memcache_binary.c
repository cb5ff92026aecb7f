#include <endian.h>

#include "common/protocol/memcache_binary.h"

enum { KEY_MAX = 250, BODY_MAX = 1 << 30 };

struct opcode {
    uint8_t operation, extras_len, shape;
};

#define DESCRIBE(code, name, extras, shape) [code] = {BINARY_##name, extras, shape},
static const struct opcode opcodes[256] = {MC_BINARY_OPCODES(DESCRIBE)};

struct header {
    uint8_t magic, code;
    uint16_t key_len;
    uint8_t extras_len, data_type;
    uint16_t status;
    uint32_t body_len, opaque;
    uint64_t cas;
};

_Static_assert(sizeof(struct header) == MC_BINARY_HEADER_LEN, "as on the wire");

static uint32_t read_u32(const char *p)
{
    uint32_t number;

    memcpy(&number, p, sizeof(number));
    return be32toh(number);
}

static uint64_t read_u64(const char *p)
{
    uint64_t number;

    memcpy(&number, p, sizeof(number));
    return be64toh(number);
}

static enum parse bad(struct mc_binary_request *request, enum mc_binary_status error)
{
    request->error = error;
    return PARSE_BAD;
}

static bool fits(const struct opcode *opcode, const struct header *header, size_t value_len)
{
    bool may_have_key = (opcode->shape & (BINARY_KEY | BINARY_MAY_KEY)) != 0;

    if (opcode->extras_len == BINARY_EXTRAS_0_OR_4
            ? header->extras_len != 0 && header->extras_len != 4
            : header->extras_len != opcode->extras_len)
        return false;
    if ((header->key_len != 0 && !may_have_key) ||
        (header->key_len == 0 && (opcode->shape & BINARY_KEY)))
        return false;
    return value_len == 0 || (opcode->shape & BINARY_VALUE) != 0;
}

static void parse_extras(struct mc_binary_request *request, const char *extras, size_t len)
{
    switch (request->operation) {
    case BINARY_SET:
    case BINARY_ADD:
    case BINARY_REPLACE:
        request->flags = read_u32(extras);
        request->exptime = read_u32(extras + 4);
        break;
    case BINARY_INCREMENT:
    case BINARY_DECREMENT:
        request->delta = read_u64(extras);
        request->initial = read_u64(extras + 8);
        request->exptime = read_u32(extras + 16);
        break;
    default:
        if (len != 0)
            request->exptime = read_u32(extras);
    }
    request->has_exptime = len != 0;
}

enum parse mc_binary_parse_request(struct str in, struct mc_binary_request *request)
{
    const struct opcode *opcode;
    struct header header;
    size_t front;

    *request = (struct mc_binary_request){0};
    if (in.len < sizeof(header))
        return PARSE_MORE;
    memcpy(&header, in.data, sizeof(header));
    header.key_len = be16toh(header.key_len);
    header.body_len = be32toh(header.body_len);
    opcode = &opcodes[header.code];
    request->code = header.code;
    request->operation = opcode->operation;
    request->shape = opcode->shape;
    request->opaque = header.opaque;
    request->cas = be64toh(header.cas);
    if (header.magic != MC_BINARY_REQUEST)
        return bad(request, BINARY_OK);
    front = (size_t)header.extras_len + header.key_len;
    if (front > header.body_len)
        return bad(request, BINARY_NO_SUCH_COMMAND);
    if (header.body_len > BODY_MAX || header.key_len > KEY_MAX)
        return bad(request, BINARY_INVALID);
    if (opcode->operation == BINARY_UNKNOWN) {
        request->head_len = sizeof(header);
        request->body_len = header.body_len;
        return PARSE_DONE;
    }
    if (!fits(opcode, &header, header.body_len - front))
        return bad(request, BINARY_INVALID);
    request->head_len = sizeof(header) + front;
    request->body_len = header.body_len - front;
    if (in.len < request->head_len)
        return PARSE_MORE;
    request->key = (struct str){in.data + sizeof(header) + header.extras_len, header.key_len};
    parse_extras(request, in.data + sizeof(header), header.extras_len);
    return PARSE_DONE;
}

void mc_binary_write_header(char *out, const struct mc_binary_request *request,
                            enum mc_binary_status status, size_t extras_len, size_t key_len,
                            size_t value_len, uint64_t cas)
{
    struct header header = {.magic = MC_BINARY_RESPONSE,
                            .code = request->code,
                            .key_len = htobe16((uint16_t)key_len),
                            .extras_len = (uint8_t)extras_len,
                            .status = htobe16((uint16_t)status),
                            .body_len = htobe32((uint32_t)(extras_len + key_len + value_len)),
                            .opaque = request->opaque,
                            .cas = htobe64(cas)};

    memcpy(out, &header, sizeof(header));
}

struct str mc_binary_status_text(enum mc_binary_status status)
{
    switch (status) {
    case BINARY_NOT_FOUND:
        return STR("Not found");
    case BINARY_EXISTS:
        return STR("Data exists for key.");
    case BINARY_TOO_LARGE:
        return STR("Too large.");
    case BINARY_INVALID:
        return STR("Invalid arguments");
    case BINARY_NOT_STORED:
        return STR("Not stored.");
    case BINARY_NOT_A_NUMBER:
        return STR("Non-numeric server-side value for incr or decr");
    case BINARY_AUTH_FAILURE:
        return STR("Auth failure.");
    case BINARY_NO_SUCH_COMMAND:
        return STR("Unknown command");
    case BINARY_OUT_OF_MEMORY:
        return STR("Out of memory");
    case BINARY_INTERNAL_ERROR:
        return STR("Internal error");
    case BINARY_OK:
    case BINARY_AUTH_CONTINUE:
        break;
    }
    return STR("");
}
