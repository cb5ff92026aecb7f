#include "common/option/argv.h"

struct parser {
    const struct argv_tables *tables;
    int argc, next; /* argv[next] is to be looked at next */
    char **argv;
    void *settings;
    struct argv_error *error;
};

static bool fail(struct parser *parser, enum argv_failure failure, const struct option *option,
                 const char *text)
{
    struct argv_error *error = parser->error;

    error->failure = failure;
    error->option = option;
    snprintf(error->text, sizeof(error->text), "option %s: %s", error->given, text);
    return false;
}

static bool set(struct parser *parser, const struct option *option, struct str value)
{
    char text[OPTION_ERROR_MAX];

    if (option->refusal != NULL)
        return fail(parser, ARGV_BAD, option, option->refusal);
    if (option_set(option, parser->settings, value, text))
        return true;
    return fail(parser, ARGV_BAD, option, text);
}

/* One `name` or `name=value` of -o. */
static bool set_extended(struct parser *parser, struct str item)
{
    const char *equals = memchr(item.data, '=', item.len);
    struct str name = {item.data, equals ? (size_t)(equals - item.data) : item.len};
    const struct option *option =
        option_find(parser->tables->extended, parser->tables->extended_count, name);

    snprintf(parser->error->given, sizeof(parser->error->given), "-o %.*s", STR_ARG(name));
    if (option == NULL)
        return fail(parser, ARGV_UNKNOWN, NULL, "no such option, or one not supported");
    if (equals != NULL)
        return set(parser, option, str_skip(item, name.len + 1));
    if (option->flag == NULL)
        return fail(parser, ARGV_MISSING, option, "requires a value");
    return set(parser, option, str_of(option->flag));
}

static bool set_all_extended(struct parser *parser, struct str items)
{
    while (items.len != 0) {
        const char *comma = memchr(items.data, ',', items.len);
        struct str item = {items.data, comma ? (size_t)(comma - items.data) : items.len};

        if (item.len != 0 && !set_extended(parser, item))
            return false;
        items = str_skip(items, comma ? item.len + 1 : item.len);
    }
    return true;
}

/* The next element of argv as an argument; false after complaining when none is left. */
static bool take_argument(struct parser *parser, const struct option *option, struct str *value)
{
    if (parser->next >= parser->argc)
        return fail(parser, ARGV_MISSING, option, "requires an argument");
    *value = str_of(parser->argv[parser->next++]);
    return true;
}

static bool parse_long(struct parser *parser, const char *text)
{
    const struct argv_tables *tables = parser->tables;
    const char *equals = strchr(text, '=');
    struct str name = {text, equals ? (size_t)(equals - text) : strlen(text)}, value;
    bool is_extended = tables->extended != NULL && str_equal(name, STR("extended"));
    const struct option *option = option_find(tables->options, tables->option_count, name);

    snprintf(parser->error->given, sizeof(parser->error->given), "--%.*s", STR_ARG(name));
    if (option == NULL && !is_extended)
        return fail(parser, ARGV_UNKNOWN, NULL, "no such option, or one not supported");
    if (option != NULL && option->flag != NULL) {
        if (equals != NULL)
            return fail(parser, ARGV_SURPLUS, option, "takes no argument");
        return set(parser, option, str_of(option->flag));
    }
    if (equals != NULL)
        value = str_of(equals + 1);
    else if (!take_argument(parser, option, &value))
        return false;
    return is_extended ? set_all_extended(parser, value) : set(parser, option, value);
}

static const struct option *find_letter(const struct argv_tables *tables, char letter)
{
    for (size_t i = 0; i < tables->option_count; i++) {
        if (tables->options[i].letter == letter)
            return &tables->options[i];
    }
    return NULL;
}

/* A bunch of letters; the first that takes an argument has the rest of it. */
static bool parse_letters(struct parser *parser, const char *text)
{
    const struct argv_tables *tables = parser->tables;

    for (; *text != '\0'; text++) {
        const struct option *option = find_letter(tables, *text);
        bool is_extended = tables->extended != NULL && *text == 'o';
        struct str value;

        snprintf(parser->error->given, sizeof(parser->error->given), "-%c", *text);
        if (option == NULL && !is_extended)
            return fail(parser, ARGV_UNKNOWN, NULL, "no such option, or one not supported");
        if (option != NULL && option->flag != NULL) {
            if (!set(parser, option, str_of(option->flag)))
                return false;
            continue;
        }
        if (text[1] != '\0')
            value = str_of(text + 1);
        else if (!take_argument(parser, option, &value))
            return false;
        return is_extended ? set_all_extended(parser, value) : set(parser, option, value);
    }
    return true;
}

static bool add_operand(struct parser *parser, const char *text)
{
    struct argv_operands *operands = parser->tables->operands;
    struct argv_error *error = parser->error;

    if (operands != NULL) {
        operands->words[operands->count++] = text;
        return true;
    }
    snprintf(error->given, sizeof(error->given), "%s", text);
    error->failure = ARGV_SURPLUS;
    snprintf(error->text, sizeof(error->text), "'%s' is not an option", error->given);
    return false;
}

bool argv_parse(const struct argv_tables *tables, int argc, char **argv, void *settings,
                struct argv_error *error)
{
    struct parser parser = {tables, argc, 1, argv, settings, error};

    bool is_over = false; /* no more options */

    memset(error, 0, sizeof(*error));
    while (parser.next < argc) {
        const char *text = argv[parser.next++];

        if (is_over || text[0] != '-' || text[1] == '\0') {
            if (!add_operand(&parser, text))
                return false;
        } else if (strcmp(text, "--") == 0) {
            is_over = true;
        } else if (!(text[1] == '-' ? parse_long(&parser, text + 2)
                                    : parse_letters(&parser, text + 1))) {
            return false;
        }
    }
    return true;
}

void argv_print_help(FILE *out, const struct option *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct option *option = &table[i];
        char name[64], letter[8] = "    ";

        if (option->refusal != NULL)
            continue;
        if (option->letter != '\0')
            snprintf(letter, sizeof(letter), "-%c, ", option->letter);
        if (option->flag != NULL)
            snprintf(name, sizeof(name), "--%s %s", option->key,
                     option->argument ? option->argument : "");
        else
            snprintf(name, sizeof(name), "--%s=%s", option->key,
                     option->argument ? option->argument : "N");
        fprintf(out, "  %s%-28s %s", letter, name, option->help);
        if (option->initial != NULL && option->flag == NULL)
            fprintf(out, " (default: %s)", option->initial);
        fputc('\n', out);
    }
}

void argv_print_reference(FILE *out, const struct option *table, size_t count)
{
    fputs("| option | default | meaning |\n|---|---|---|\n", out);
    for (size_t i = 0; i < count; i++) {
        const struct option *option = &table[i];
        const char *argument = option->argument ? option->argument : "N";

        fputs("| ", out);
        if (option->letter != '\0' && option->flag != NULL)
            fprintf(out, "`-%c`, ", option->letter);
        else if (option->letter != '\0')
            fprintf(out, "`-%c %s`, ", option->letter, argument);
        if (option->flag != NULL)
            fprintf(out, "`--%s%s%s`", option->key, option->argument ? " " : "",
                    option->argument ? option->argument : "");
        else
            fprintf(out, "`--%s=%s`", option->key, argument);
        fprintf(out, " | %s | %s |\n", option->initial ? option->initial : "-", option->help);
    }
}
