/*
 * The classic text dialect: a row of memcache_commands.h per command, a small
 * function per field, and a loop that walks the row.
 */
#include "common/bytes/number.h"
#include "common/protocol/memcache.h"

#define DESCRIBE(id, name, traits, ...)                                                            \
    [MC_##id] = {name, MC_##id, traits, sizeof(name) - 1, {__VA_ARGS__}},
const struct mc_command mc_commands[MC_COMMAND_COUNT] = {MC_TEXT_COMMANDS(DESCRIBE)};

static const char bad_line[] = "CLIENT_ERROR bad command line format";
static const char bad_exptime[] = "CLIENT_ERROR invalid exptime argument";
static const char bad_delta[] = "CLIENT_ERROR invalid numeric delta argument";

/* A field of the line is fine when its parser returns NULL; else it is the error. */
typedef const char *field_parser(struct str *line, struct mc_request *request);

static const char *parse_key(struct str *line, struct mc_request *request)
{
    request->keys = str_next_word(line);
    request->key_count = 1;
    return request->keys.len == 0 || request->keys.len > MC_KEY_MAX ? bad_line : NULL;
}

/* `keys` begins with a key; there are more, or spaces. */
__attribute__((noinline)) static const char *parse_list(struct str keys, struct mc_request *request)
{
    while (keys.data[keys.len - 1] == ' ')
        keys.len--;
    request->keys = keys;
    request->key_count = (uint32_t)str_count_words(keys);
    return str_words_fit(keys, MC_KEY_MAX) ? NULL : bad_line;
}

static const char *parse_keys(struct str *line, struct mc_request *request)
{
    struct str rest = *line;
    const char *error = parse_key(line, request);

    if (error != NULL || line->len == 0)
        return error;
    rest = str_skip(rest, (size_t)(request->keys.data - rest.data));
    *line = str_skip(*line, line->len);
    return parse_list(rest, request);
}

/* memcached reads numbers with strtoul and its kin, which take a plus sign. */
static struct str without_plus(struct str word)
{
    return word.len > 1 && word.data[0] == '+' && word.data[1] != '-' ? str_skip(word, 1) : word;
}

/* The long way, for the few numbers that have a sign, or very many digits; -1: it is none. */
__attribute__((noinline)) static int64_t next_odd_number(struct str *line, bool may_have_plus)
{
    struct str word = str_next_word(line);
    uint64_t number;

    if (!number_parse_u64(may_have_plus ? without_plus(word) : word, &number))
        return -1;
    return number <= INT64_MAX ? (int64_t)number : -1;
}

__attribute__((noinline)) static bool parse_odd_time(struct str *line, struct mc_request *request)
{
    int64_t wide;

    if (!number_parse_i64(without_plus(str_next_word(line)), &wide))
        return false;
    request->exptime = (int32_t)wide;
    return true;
}

static const char *parse_flags(struct str *line, struct mc_request *request)
{
    int64_t flags = number_next(line);

    if (flags < 0)
        flags = next_odd_number(line, true);
    if (flags < 0 || flags > UINT32_MAX)
        return bad_line;
    request->flags = (uint32_t)flags;
    return NULL;
}

static bool parse_time(struct str *line, struct mc_request *request)
{
    int64_t wide = number_next(line);

    if (wide < 0)
        return parse_odd_time(line, request);
    request->exptime = (int32_t)wide;
    return true;
}

static const char *parse_exptime(struct str *line, struct mc_request *request)
{
    return parse_time(line, request) ? NULL : bad_line;
}

static const char *parse_ttl(struct str *line, struct mc_request *request)
{
    struct str ahead = *line;

    if (str_next_word(&ahead).len == 0)
        return bad_line;
    return parse_time(line, request) ? NULL : bad_exptime;
}

static const char *parse_bytes(struct str *line, struct mc_request *request)
{
    int64_t len = number_next(line);

    if (len < 0)
        len = next_odd_number(line, false);
    if (len < 0 || len > MC_BODY_MAX - 2)
        return bad_line;
    request->body_len = (size_t)len + 2;
    return NULL;
}

static const char *parse_cas(struct str *line, struct mc_request *request)
{
    return number_parse_u64(without_plus(str_next_word(line)), &request->number) ? NULL : bad_line;
}

static const char *parse_delta(struct str *line, struct mc_request *request)
{
    struct str word = str_next_word(line);

    if (word.len == 0)
        return bad_line;
    return number_parse_u64(without_plus(word), &request->number) ? NULL : bad_delta;
}

/* Clients find out by the refusal what a server understands, so memcached's old one is kept. */
static const char *parse_zero(struct str *line, struct mc_request *request)
{
    struct str rest = *line, first = str_next_word(&rest), second = str_next_word(&rest);

    if (str_next_word(&rest).len != 0)
        return "ERROR";
    request->noreply = str_equal(second, STR("noreply"));
    if (first.len == 0 || (second.len == 0 && str_equal(first, STR("noreply"))) ||
        (str_equal(first, STR("0")) && (second.len == 0 || request->noreply)))
        return NULL;
    return "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]";
}

static const char *parse_noreply(struct str *line, struct mc_request *request)
{
    static const struct str noreply = {"noreply", 7};
    size_t len = line->len;

    while (len != 0 && line->data[len - 1] == ' ')
        len--;
    request->noreply = len > noreply.len && line->data[len - noreply.len - 1] == ' ' &&
                       memcmp(line->data + len - noreply.len, noreply.data, noreply.len) == 0;
    return NULL;
}

static const char *parse_rest(struct str *line, struct mc_request *request)
{
    request->rest = *line;
    return NULL;
}

static field_parser *const field_parsers[] = {
    [FIELD_KEY] = parse_key,         [FIELD_KEYS] = parse_keys,   [FIELD_FLAGS] = parse_flags,
    [FIELD_EXPTIME] = parse_exptime, [FIELD_TTL] = parse_ttl,     [FIELD_BYTES] = parse_bytes,
    [FIELD_CAS] = parse_cas,         [FIELD_DELTA] = parse_delta, [FIELD_NOREPLY] = parse_noreply,
    [FIELD_ZERO] = parse_zero,       [FIELD_REST] = parse_rest,
};

static const struct mc_command *command_find(struct str name)
{
    for (const struct mc_command *row = mc_commands; row < mc_commands + MC_COMMAND_COUNT; row++) {
        if (row->name_len == name.len && row->name[0] == name.data[0] &&
            str_equal((struct str){row->name, row->name_len}, name))
            return row;
    }
    return NULL;
}

/* Cuts the command's name off the front of a line; those that are asked for most are told by one
 * look. NULL: there is no such command. */
static const struct mc_command *next_command(struct str *line)
{
    const struct mc_command *command = str_starts(*line, STR("get "))   ? &mc_commands[MC_GET]
                                       : str_starts(*line, STR("set ")) ? &mc_commands[MC_SET]
                                                                        : NULL;
    struct str name;

    if (command != NULL) {
        *line = str_skip(*line, 3);
        return command;
    }
    name = str_next_word(line);
    return name.len == 0 ? NULL : command_find(name);
}

static enum parse bad(struct mc_request *request, const char *error)
{
    request->error = error;
    return PARSE_BAD;
}

/*
 * The announced value of a line that is otherwise bad has to be swallowed, or it would
 * be taken for commands: its length is the fourth word, whatever the other words are.
 */
static size_t announced_body(const struct mc_command *command, struct str arguments)
{
    struct mc_request announced = {0};

    if (!(command->traits & MC_STORES))
        return 0;
    for (int word = 0; word < 3; word++)
        str_next_word(&arguments);
    return parse_bytes(&arguments, &announced) == NULL ? announced.body_len : 0;
}

/* A browser, or whoever speaks to the wrong port: its lines are no commands of ours. */
static bool is_http(struct str line)
{
    while (line.len != 0 && line.data[line.len - 1] == ' ')
        line.len--;
    for (size_t i = line.len; i-- > 0;) {
        if (line.data[i] == ' ')
            return str_starts(str_skip(line, i + 1), STR("HTTP/"));
    }
    return false;
}

__attribute__((noinline)) static enum parse bad_command(struct str line, struct mc_request *request)
{
    struct str rest = line;

    if (str_next_word(&rest).len == 0 || line.len == 1)
        return bad(request, bad_line);
    return bad(request, is_http(line) ? NULL : "ERROR");
}

/* No end of line yet: is it worth waiting for? Long lists of keys are. */
__attribute__((noinline)) static enum parse parse_unfinished(struct str in,
                                                             struct mc_request *request)
{
    struct str word;
    size_t limit = MC_LINE_MAX;

    if (in.len <= MC_LINE_MAX)
        return PARSE_MORE;
    for (int spaces = 0; spaces < 100 && in.data[0] == ' '; spaces++)
        in = str_skip(in, 1);
    if (in.data[0] != ' ') {
        const struct mc_command *command;
        struct str rest = in;

        word = str_next_word(&rest);
        command = word.len < in.len ? command_find(word) : NULL;
        if (command != NULL && (command->traits & MC_RETRIEVES) && str_next_word(&rest).len != 0)
            limit = MC_RETRIEVE_LINE_MAX;
    }
    if (in.len <= limit)
        return PARSE_MORE;
    request->head_len = in.len;
    return bad(request, NULL);
}

/* All but `meta`. By itself: a memset of this length becomes a slow string instruction. */
static void request_clear(struct mc_request *request)
{
    static const struct str nothing;

    request->command = NULL;
    request->keys = request->rest = nothing;
    request->head_len = request->body_len = 0;
    request->flags = request->key_count = 0;
    request->exptime = 0;
    request->number = 0;
    request->noreply = false;
    request->error = NULL;
}

/* The long way; kept out of the way of what most clients write. */
__attribute__((noinline)) static enum parse parse_fields(struct str arguments,
                                                         struct mc_request *request)
{
    struct str rest = arguments;

    for (const uint8_t *field = request->command->fields; *field != FIELD_END; field++) {
        const char *error = field_parsers[*field](&rest, request);

        if (error != NULL) {
            request->body_len = announced_body(request->command, arguments);
            return bad(request, error);
        }
    }
    return PARSE_DONE;
}

/* Digits up to `end`, at most ten; NULL: something else. */
static const char *scan_digits(const char *p, const char *end, uint64_t *number)
{
    const char *first = p;
    uint64_t sum = 0;
    unsigned digit;

    for (; p < end && (digit = (unsigned)(unsigned char)*p - '0') <= 9; p++)
        sum = sum * 10 + digit;
    *number = sum;
    return p == first || p - first > 10 ? NULL : p;
}

/* The key behind a name and one space. Returns its end; NULL: it stands otherwise, or is none. */
static const char *scan_key(struct str arguments, struct mc_request *request)
{
    struct str key;

    if (arguments.len < 2)
        return NULL;
    key = str_skip(arguments, 1);
    key.len = str_length_to_space(key.data, key.len);
    if (key.len == 0 || key.len > MC_KEY_MAX)
        return NULL;
    request->keys = key;
    request->key_count = 1;
    return key.data + key.len;
}

/* The numbers behind a set's key, if there is nothing else. */
static bool scan_set_numbers(const char *p, const char *end, struct mc_request *request)
{
    uint64_t flags, exptime, len;

    if (p == end)
        return false;
    p = scan_digits(p + 1, end, &flags);
    if (p == NULL || p == end || *p != ' ' || flags > UINT32_MAX)
        return false;
    p = scan_digits(p + 1, end, &exptime);
    if (p == NULL || p == end || *p != ' ')
        return false;
    p = scan_digits(p + 1, end, &len);
    if (p != end || len > MC_BODY_MAX - 2)
        return false;
    request->flags = (uint32_t)flags;
    request->exptime = (int32_t)exptime;
    request->body_len = (size_t)len + 2;
    return true;
}

/* A get of one key, and a set, as most clients write them, without looking at a byte twice.
 * False: it is written otherwise, or wrong, or another command. */
static bool scan_arguments(struct str arguments, struct mc_request *request)
{
    const char *end = arguments.data + arguments.len, *p;

    if (request->command->id != MC_GET && request->command->id != MC_SET)
        return false;
    p = scan_key(arguments, request);
    return p != NULL &&
           (request->command->id == MC_GET ? p == end : scan_set_numbers(p, end, request));
}

enum parse mc_text_parse_request(struct str in, struct mc_request *request)
{
    const char *newline = str_find_newline(in);
    struct str line, arguments;

    request_clear(request);
    if (newline == NULL)
        return parse_unfinished(in, request);

    line = (struct str){in.data, (size_t)(newline - in.data)};
    request->head_len = line.len + 1;
    if (line.len != 0 && line.data[line.len - 1] == '\r')
        line.len--;
    arguments = line;
    request->command = next_command(&arguments);
    if (request->command == NULL)
        return bad_command(line, request);

    if (request->command->traits & MC_META)
        return mc_meta_parse_arguments(arguments, request);
    return scan_arguments(arguments, request) ? PARSE_DONE : parse_fields(arguments, request);
}

/* --- replies --- */

/* Reply lines that are one word, or a word and a text. */
static const struct reply_word {
    struct str word;
    uint8_t status;
    bool may_have_text;
} reply_words[] = {
    {{"END", 3}, MC_STATUS_END, false},
    {{"STORED", 6}, MC_STATUS_STORED, false},
    {{"DELETED", 7}, MC_STATUS_DELETED, false},
    {{"NOT_FOUND", 9}, MC_STATUS_NOT_FOUND, false},
    {{"NOT_STORED", 10}, MC_STATUS_NOT_STORED, false},
    {{"EXISTS", 6}, MC_STATUS_EXISTS, false},
    {{"TOUCHED", 7}, MC_STATUS_TOUCHED, false},
    {{"HD", 2}, MC_STATUS_HD, true},
    {{"EN", 2}, MC_STATUS_EN, true},
    {{"NS", 2}, MC_STATUS_NS, true},
    {{"EX", 2}, MC_STATUS_EX, true},
    {{"NF", 2}, MC_STATUS_NF, true},
    {{"ME", 2}, MC_STATUS_ME, true},
    {{"OK", 2}, MC_STATUS_OK, false},
    {{"MN", 2}, MC_STATUS_MN, false},
    {{"VERSION", 7}, MC_STATUS_VERSION, true},
    {{"ERROR", 5}, MC_STATUS_ERROR, true},
    {{"CLIENT_ERROR", 12}, MC_STATUS_ERROR, true},
    {{"SERVER_ERROR", 12}, MC_STATUS_ERROR, true},
};

static enum parse parse_value_line(struct str words, struct mc_reply *reply)
{
    uint64_t len;
    struct str word;

    reply->status = MC_STATUS_VALUE;
    reply->key = str_next_word(&words);
    if (reply->key.len == 0 || reply->key.len > MC_KEY_MAX)
        return PARSE_BAD;
    if (!number_parse_u32(str_next_word(&words), &reply->flags))
        return PARSE_BAD;
    if (!number_parse_u64(str_next_word(&words), &len) || len > MC_BODY_MAX - 2)
        return PARSE_BAD;
    reply->body_len = (size_t)len + 2;
    word = str_next_word(&words);
    if (word.len != 0) {
        if (!number_parse_u64(word, &reply->cas))
            return PARSE_BAD;
        reply->has_cas = true;
    }
    return str_next_word(&words).len == 0 ? PARSE_DONE : PARSE_BAD;
}

/* "VA length flags..." */
static enum parse parse_meta_value_line(struct str words, struct mc_reply *reply)
{
    uint64_t len;

    reply->status = MC_STATUS_VA;
    reply->rest = words;
    if (!number_parse_u64(str_next_word(&words), &len) || len > MC_BODY_MAX - 2)
        return PARSE_BAD;
    reply->body_len = (size_t)len + 2;
    return PARSE_DONE;
}

static bool is_number(struct str line)
{
    uint64_t number;

    while (line.len > 1 && line.data[line.len - 1] == ' ')
        line.len--;
    return number_parse_u64(line, &number);
}

static enum parse parse_status_line(struct str line, struct mc_reply *reply)
{
    struct str rest = line, word = str_next_word(&rest);

    for (size_t i = 0; i < sizeof(reply_words) / sizeof(reply_words[0]); i++) {
        if (!str_equal(word, reply_words[i].word))
            continue;
        reply->status = reply_words[i].status;
        reply->rest = rest;
        return rest.len == 0 || reply_words[i].may_have_text ? PARSE_DONE : PARSE_BAD;
    }
    reply->status = MC_STATUS_NUMBER;
    return is_number(line) ? PARSE_DONE : PARSE_BAD;
}

/* The numbers of a VALUE line, as every server writes them, without looking at a byte twice.
 * Returns where the value begins; NULL: they are written otherwise, or wrong, or not all there. */
static const char *scan_value_numbers(const char *p, const char *end, uint32_t *flags, size_t *len)
{
    uint64_t wide_flags, wide_len;

    p = scan_digits(p, end, &wide_flags);
    if (p == NULL || p >= end || *p != ' ')
        return NULL;
    p = scan_digits(p + 1, end, &wide_len);
    if (p == NULL || end - p < 2 || p[0] != '\r' || p[1] != '\n' || wide_flags > UINT32_MAX ||
        wide_len > MC_BODY_MAX - 2)
        return NULL;
    *flags = (uint32_t)wide_flags;
    *len = (size_t)wide_len;
    return p + 2;
}

/* "VALUE key flags length" in that form. */
static bool scan_value_line(struct str in, struct mc_reply *reply)
{
    struct str rest = str_skip(in, in.len < 6 ? in.len : 6);
    const char *value;
    size_t len;

    if (rest.len < 18 || memcmp(in.data, "VALUE ", 6) != 0)
        return false;
    reply->key = (struct str){rest.data, str_length_to_space(rest.data, rest.len)};
    if (reply->key.len == 0 || reply->key.len > MC_KEY_MAX || reply->key.len == rest.len)
        return false;
    value = scan_value_numbers(rest.data + reply->key.len + 1, rest.data + rest.len, &reply->flags,
                               &len);
    if (value == NULL)
        return false;
    reply->status = MC_STATUS_VALUE;
    reply->has_cas = false;
    reply->head_len = (size_t)(value - in.data);
    reply->body_len = len + 2;
    return true;
}

size_t mc_text_value_len(struct str in, struct str key)
{
    const char *p = in.data + 6 + key.len, *value;
    uint32_t flags;
    size_t len;

    if (in.len < 6 + key.len + 6 || memcmp(in.data, "VALUE ", 6) != 0 || *p != ' ' ||
        memcmp(in.data + 6, key.data, key.len) != 0)
        return 0;
    value = scan_value_numbers(p + 1, in.data + in.len, &flags, &len);
    return value == NULL ? 0 : (size_t)(value - in.data) + len + 2;
}

enum parse mc_text_parse_reply(struct str in, struct mc_reply *reply)
{
    const char *newline;
    struct str line;

    if (scan_value_line(in, reply))
        return PARSE_DONE;
    newline = memchr(in.data, '\n', in.len < MC_LINE_MAX ? in.len : MC_LINE_MAX);
    if (newline == NULL)
        return in.len < MC_LINE_MAX ? PARSE_MORE : PARSE_BAD;
    *reply = (struct mc_reply){.head_len = (size_t)(newline - in.data) + 1};
    if (newline == in.data || newline[-1] != '\r' || in.data[0] == ' ')
        return PARSE_BAD;
    line = (struct str){in.data, reply->head_len - 2};
    if (str_starts(line, STR("VALUE ")))
        return parse_value_line(str_skip(line, 6), reply);
    if (str_starts(line, STR("VA ")))
        return parse_meta_value_line(str_skip(line, 3), reply);
    return parse_status_line(line, reply);
}

#define BIT(status) (1u << MC_STATUS_##status)

/* What may answer each command, but for errors. OK was HD's name in memcached 1.5. */
static const uint32_t fitting[MC_COMMAND_COUNT] = {
    [MC_GET] = BIT(VALUE) | BIT(END),
    [MC_GETS] = BIT(VALUE) | BIT(END),
    [MC_GAT] = BIT(VALUE) | BIT(END),
    [MC_GATS] = BIT(VALUE) | BIT(END),
    [MC_SET] = BIT(STORED) | BIT(NOT_STORED),
    [MC_ADD] = BIT(STORED) | BIT(NOT_STORED),
    [MC_REPLACE] = BIT(STORED) | BIT(NOT_STORED),
    [MC_APPEND] = BIT(STORED) | BIT(NOT_STORED),
    [MC_PREPEND] = BIT(STORED) | BIT(NOT_STORED),
    [MC_CAS] = BIT(STORED) | BIT(NOT_STORED) | BIT(EXISTS) | BIT(NOT_FOUND),
    [MC_INCR] = BIT(NUMBER) | BIT(NOT_FOUND),
    [MC_DECR] = BIT(NUMBER) | BIT(NOT_FOUND),
    [MC_TOUCH] = BIT(TOUCHED) | BIT(NOT_FOUND),
    [MC_DELETE] = BIT(DELETED) | BIT(NOT_FOUND),
    [MC_FLUSH_ALL] = BIT(OK),
    [MC_VERSION] = BIT(VERSION),
    [MC_VERBOSITY] = BIT(OK),
    [MC_MN] = BIT(MN),
    [MC_MG] = BIT(HD) | BIT(VA) | BIT(EN) | BIT(OK),
    [MC_MS] = BIT(HD) | BIT(NS) | BIT(EX) | BIT(NF) | BIT(OK),
    [MC_MD] = BIT(HD) | BIT(NF) | BIT(EX) | BIT(OK),
    [MC_MA] = BIT(HD) | BIT(VA) | BIT(NF) | BIT(NS) | BIT(EX) | BIT(OK),
    [MC_ME] = BIT(ME) | BIT(EN),
};

bool mc_reply_fits(const struct mc_command *command, enum mc_status status)
{
    return ((fitting[command->id] | BIT(ERROR)) >> status) & 1;
}

/* --- writing --- */

static char *put_number(char *out, uint64_t value)
{
    *out = ' ';
    return number_put(out + 1, value);
}

size_t mc_text_write_value(char *out, struct str key, uint32_t flags, size_t value_len,
                           const uint64_t *cas)
{
    char *p = str_copy(str_copy(out, STR("VALUE ")), key);

    p = put_number(p, flags);
    p = put_number(p, value_len);
    if (cas != NULL)
        p = put_number(p, *cas);
    return (size_t)(str_copy(p, STR("\r\n")) - out);
}

static char *put_exptime(char *out, int64_t exptime)
{
    *out++ = ' ';
    if (exptime < 0)
        *out++ = '-';
    return number_put(out, (uint64_t)(exptime < 0 ? -exptime : exptime));
}

size_t mc_text_write_request(char *out, const struct mc_request *request)
{
    const struct mc_command *command = request->command;
    char *p = str_copy(out, (struct str){command->name, command->name_len});

    for (const uint8_t *field = command->fields; *field != FIELD_END; field++) {
        switch ((enum mc_field) * field) {
        case FIELD_KEY:
        case FIELD_KEYS:
            *p++ = ' ';
            p = str_copy(p, request->keys);
            break;
        case FIELD_FLAGS:
            p = put_number(p, request->flags);
            break;
        case FIELD_EXPTIME:
        case FIELD_TTL:
            p = put_exptime(p, request->exptime);
            break;
        case FIELD_BYTES:
            p = put_number(p, request->body_len - 2);
            break;
        case FIELD_CAS:
        case FIELD_DELTA:
            p = put_number(p, request->number);
            break;
        case FIELD_ZERO:
        case FIELD_NOREPLY:
        case FIELD_REST:
        case FIELD_META:
        case FIELD_END:
            break;
        }
    }
    return (size_t)(str_copy(p, STR("\r\n")) - out);
}
