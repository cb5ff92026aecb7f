/*
 * The meta dialect: mg ms md ma me. A key, the length of a value if there is one, and
 * flags: a letter each, with its argument right behind it.
 */
#include "common/bytes/base64.h"
#include "common/bytes/number.h"
#include "common/protocol/memcache.h"

enum { TOKENS_MAX = 20, OPAQUE_MAX = 32, LETTERS = 'z' - 'A' + 1 };

#define DESCRIBE(letter, argument) [(letter) - 'A'] = (argument),
static const uint8_t arguments_of[LETTERS] = {MC_META_FLAGS(DESCRIBE)};

static const char bad_line[] = "CLIENT_ERROR bad command line format";
static const char bad_number[] = "CLIENT_ERROR bad token in command line format";
static const char too_many[] = "CLIENT_ERROR options flags are too long";

static bool parse_i32(struct str text, int32_t *number)
{
    int64_t wide;

    if (!number_parse_i64(text, &wide))
        return false;
    *number = (int32_t)wide;
    return true;
}

static bool parse_ttl(struct str text, struct mc_request *request)
{
    int32_t ttl;

    if (!parse_i32(text, &ttl))
        return false;
    request->exptime = ttl;
    return true;
}

/* Reads the argument of a flag; false if it is no number where there should be one. */
static bool parse_number(enum mc_meta_argument argument, struct str text,
                         struct mc_request *request)
{
    switch (argument) {
    case META_TTL:
        return parse_ttl(text, request);
    case META_CAS:
        return number_parse_u64(text, &request->number);
    case META_NEW_CAS:
        return number_parse_u64(text, &request->meta.new_cas);
    case META_DELTA:
        return number_parse_u64(text, &request->meta.delta);
    case META_INITIAL:
        return number_parse_u64(text, &request->meta.initial);
    case META_VIVIFY_TTL:
        return parse_i32(text, &request->meta.vivify_ttl);
    case META_RECACHE_TTL:
        return parse_i32(text, &request->meta.recache_ttl);
    default:
        return true;
    }
}

/* The modes of ms and ma; commands without modes take any. */
static const char *check_mode(const struct mc_request *request)
{
    char mode = request->meta.mode;

    if (request->command->id == MC_MS && (mode == '\0' || strchr("EAPRS", mode) == NULL))
        return "CLIENT_ERROR invalid mode for ms M token";
    if (request->command->id == MC_MA && (mode == '\0' || strchr("I+D-", mode) == NULL))
        return "CLIENT_ERROR invalid mode for ma M token";
    return NULL;
}

/* Parses a flag; NULL, or what is wrong. */
static const char *parse_flag(struct str flag, struct mc_request *request)
{
    bool is_terse = request->command->id == MC_MA;
    unsigned letter = (unsigned)(unsigned char)flag.data[0] - 'A';
    enum mc_meta_argument argument = letter < LETTERS ? arguments_of[letter] : META_UNKNOWN;
    struct str text = str_skip(flag, 1);

    if (argument == META_UNKNOWN)
        return is_terse ? "CLIENT_ERROR invalid or duplicate flag" : "CLIENT_ERROR invalid flag";
    if (request->meta.given >> letter & 1)
        return is_terse ? "CLIENT_ERROR invalid or duplicate flag" : "CLIENT_ERROR duplicate flag";
    request->meta.given |= (uint64_t)1 << letter;
    if (argument == META_OPAQUE)
        return flag.len > OPAQUE_MAX ? "CLIENT_ERROR opaque token too long" : NULL;
    if (argument == META_FLAGS)
        return number_parse_u32(text, &request->flags) ? NULL : bad_line;
    if (argument == META_MODE) {
        request->meta.mode = text.len != 0 ? text.data[0] : '\0';
        return check_mode(request);
    }
    if (!parse_number(argument, text, request))
        return is_terse ? "CLIENT_ERROR invalid or duplicate flag" : bad_number;
    return NULL;
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Whether the words can be flags at all; if not, the line says nothing that can be relied on. */
static const char *check_words(struct str words, unsigned tokens)
{
    struct str word;

    while ((word = str_next_word(&words)).len != 0) {
        if (++tokens > TOKENS_MAX)
            return too_many;
        if (!is_letter_or_digit(word.data[0]))
            return bad_line;
    }
    return NULL;
}

static bool is_known(char letter)
{
    unsigned index = (unsigned)(unsigned char)letter - 'A';

    return index < LETTERS && arguments_of[index] != META_UNKNOWN;
}

/* All flags are looked at, for what those say that a proxy has to know; the first error counts.
 * me has no flags but b. */
static const char *parse_flags(struct str flags, struct mc_request *request)
{
    bool is_debug = request->command->id == MC_ME;
    const char *first_error = NULL;
    struct str flag;

    while ((flag = str_next_word(&flags)).len != 0) {
        const char *error = NULL;

        if (!is_debug)
            error = parse_flag(flag, request);
        else if (flag.data[0] == 'b')
            request->meta.given |= (uint64_t)1 << ('b' - 'A');
        if (error == NULL)
            continue;
        request->meta.is_newer =
            !is_known(flag.data[0]) && (first_error == NULL || request->meta.is_newer);
        if (first_error == NULL)
            first_error = error;
    }
    return first_error;
}

static const char *decode_key(struct mc_request *request)
{
    size_t len = base64_decode(request->meta.key, request->keys);

    request->keys = (struct str){request->meta.key, len};
    return len != 0 ? NULL : "CLIENT_ERROR error decoding key";
}

static enum parse bad(struct mc_request *request, const char *error)
{
    request->error = error;
    return PARSE_BAD;
}

enum parse mc_meta_parse_arguments(struct str arguments, struct mc_request *request)
{
    bool stores = (request->command->traits & MC_STORES) != 0;
    const char *error;
    uint64_t len = 0;

    memset(&request->meta, 0, offsetof(struct mc_meta, key));
    request->meta.delta = 1;
    request->keys = request->meta.token = str_next_word(&arguments);
    request->key_count = 1;
    if (request->keys.len == 0)
        return bad(request, bad_line);
    if (stores && (!number_parse_u64(str_next_word(&arguments), &len) || len > MC_BODY_MAX - 2))
        return bad(request, bad_line);
    request->rest = arguments;
    error = check_words(arguments, stores ? 3 : 2);
    if (error == bad_line)
        return bad(request, error);
    if (stores)
        request->body_len = (size_t)len + 2;
    if (error == NULL && request->keys.len > MC_KEY_MAX)
        error = bad_line;
    if (error == NULL)
        error = parse_flags(arguments, request);
    if ((error == NULL || request->meta.is_newer) && mc_meta_has(request, 'b')) {
        const char *key_error = decode_key(request);

        if (key_error != NULL) {
            request->meta.is_newer = false;
            error = error == NULL ? key_error : error;
        }
    }
    return error == NULL ? PARSE_DONE : bad(request, error);
}

size_t mc_meta_write_request(char *out, const struct mc_request *request)
{
    const struct mc_command *command = request->command;
    struct str flags = request->rest, flag;
    char *p = out;

    memcpy(p, command->name, command->name_len);
    p += command->name_len;
    *p++ = ' ';
    memcpy(p, request->meta.token.data, request->meta.token.len);
    p += request->meta.token.len;
    if (command->traits & MC_STORES) {
        *p++ = ' ';
        p += number_format(p, request->body_len - 2);
    }
    while ((flag = str_next_word(&flags)).len != 0) {
        if (flag.data[0] == 'q')
            continue;
        *p++ = ' ';
        memcpy(p, flag.data, flag.len);
        p += flag.len;
    }
    memcpy(p, "\r\n", 2);
    return (size_t)(p + 2 - out);
}

size_t mc_meta_write_miss(char *out, const struct mc_request *request)
{
    static const char words[MC_COMMAND_COUNT][3] = {
        [MC_MG] = "EN", [MC_ME] = "EN", [MC_MS] = "NS", [MC_MD] = "NF", [MC_MA] = "NF"};
    struct str flags = request->command->id == MC_ME ? STR("") : request->rest, flag;
    char *p = out;

    memcpy(p, words[request->command->id], 2);
    p += 2;
    while ((flag = str_next_word(&flags)).len != 0) {
        struct str shown = flag.data[0] == 'O' ? flag : STR("");

        if (flag.data[0] == 'k') {
            memcpy(p, " k", 2);
            p += 2;
            shown = request->meta.token;
        } else if (shown.len != 0) {
            *p++ = ' ';
        }
        memcpy(p, shown.data, shown.len);
        p += shown.len;
        if (flag.data[0] == 'k' && mc_meta_has(request, 'b')) {
            memcpy(p, " b", 2);
            p += 2;
        }
    }
    memcpy(p, "\r\n", 2);
    return (size_t)(p + 2 - out);
}

_Static_assert(MC_STATUS_COUNT <= 32, "each status is a bit");

uint32_t mc_meta_silent(const struct mc_request *request)
{
    static const uint32_t usual[MC_COMMAND_COUNT] = {
        [MC_MG] = 1u << MC_STATUS_EN,
        [MC_MS] = 1u << MC_STATUS_HD | 1u << MC_STATUS_OK,
        [MC_MD] = 1u << MC_STATUS_HD | 1u << MC_STATUS_OK,
        [MC_MA] = 1u << MC_STATUS_HD | 1u << MC_STATUS_VA | 1u << MC_STATUS_OK,
    };

    return mc_meta_has(request, 'q') ? usual[request->command->id] : 0;
}
