
#include "common/option/yaml.h"
#include "tests/unit/unit.h"

static char error[256];

static struct yaml_file *parse(const char *text)
{
    error[0] = '\0';
    return yaml_file_parse("f", str_of(text), error, sizeof(error));
}

START_TEST(values_keep_their_order_and_their_place)
{
    struct yaml_file *file = parse("# comment\na: one\nlist:\n  - x\n  - \"y z\"\n");
    const struct yaml_value *root, *list;

    ck_assert_msg(file != NULL, "%s", error);
    root = file->root;
    ck_assert_int_eq(root->kind, YAML_MAP);
    ck_assert_uint_eq(root->count, 4);
    ck_assert_str_is(root->children[0]->text, "a");
    ck_assert_str_is(root->children[1]->text, "one");
    ck_assert_uint_eq(root->children[1]->line, 2);
    ck_assert_uint_eq(root->children[1]->column, 4);
    list = root->children[3];
    ck_assert_int_eq(list->kind, YAML_LIST);
    ck_assert_uint_eq(list->count, 2);
    ck_assert_str_is(list->children[1]->text, "y z");
    ck_assert_uint_eq(list->children[1]->line, 5);
    ck_assert_uint_eq(list->children[1]->column, 5);
    yaml_file_free(file);
}
END_TEST

START_TEST(a_complaint_begins_with_the_place_of_its_value)
{
    struct yaml_file *file = parse("a:\n  b: c\n");

    ck_assert_msg(file != NULL, "%s", error);
    yaml_file_complain(file, file->root->children[1]->children[1], error, sizeof(error),
                       "'%s' is bad", "c");
    ck_assert_str_eq(error, "f:2:6: 'c' is bad");
    yaml_file_free(file);
}
END_TEST

START_TEST(an_alias_stands_for_the_value_of_its_anchor)
{
    struct yaml_file *file = parse("a: &x [1, 2]\nb: *x\n");

    ck_assert_msg(file != NULL, "%s", error);
    ck_assert_ptr_eq(file->root->children[1], file->root->children[3]);
    yaml_file_free(file);
}
END_TEST

static const struct {
    const char *text, *error;
} refused[] = {
    {"", "f:1:1: the file is empty"},
    {"a: 1\na: 2\n", "f:2:1: 'a' is a duplicate"},
    {"[a]: 1\n", "a key must be a plain word"},
    {"a: [1\n", "this is not YAML"},
    {"a: 1\n---\nb: 1\n", "f:2:1: only one document is allowed"},
    {"a: *x\n", "f:1:4: '*x' refers to no finished anchor before it"},
};

START_TEST(what_is_not_one_good_document_is_refused_with_its_place)
{
    ck_assert_ptr_null(parse(refused[_i].text));
    ck_assert_msg(strstr(error, refused[_i].error) != NULL, "'%s' lacks '%s'", error,
                  refused[_i].error);
}
END_TEST

/* `depth` lists in each other around one scalar. */
static struct yaml_file *parse_nested(size_t depth)
{
    char text[256];

    ck_assert_uint_lt(2 * depth + 1, sizeof(text));
    memset(text, '[', depth);
    text[depth] = '1';
    memset(text + depth + 1, ']', depth);
    text[2 * depth + 1] = '\0';
    return parse(text);
}

START_TEST(nesting_is_allowed_up_to_the_cap_and_no_further)
{
    struct yaml_file *file = parse_nested(YAML_DEPTH_MAX);

    ck_assert_msg(file != NULL, "%s", error);
    yaml_file_free(file);
    ck_assert_ptr_null(parse_nested(YAML_DEPTH_MAX + 1));
    ck_assert_ptr_nonnull(strstr(error, "nested too deeply"));
}
END_TEST

START_TEST(a_file_is_allowed_up_to_the_cap_and_no_further)
{
    char *text = malloc(YAML_FILE_MAX + 1);
    struct yaml_file *file;

    ck_assert_ptr_nonnull(text);
    memset(text, '#', YAML_FILE_MAX + 1);
    memcpy(text, "a: 1\n", 5);
    file = yaml_file_parse("f", (struct str){text, YAML_FILE_MAX}, error, sizeof(error));
    ck_assert_msg(file != NULL, "%s", error);
    yaml_file_free(file);
    file = yaml_file_parse("f", (struct str){text, YAML_FILE_MAX + 1}, error, sizeof(error));
    ck_assert_ptr_null(file);
    ck_assert_str_eq(error, "f: more than 1048576 bytes");
    free(text);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_named)
{
    ck_assert_ptr_null(yaml_file_load("/nonexistent.yml", error, sizeof(error)));
    ck_assert_str_eq(error, "/nonexistent.yml: No such file or directory");
}
END_TEST

UNIT_MAIN("yaml", tcase_add_test(tests, values_keep_their_order_and_their_place);
          tcase_add_test(tests, a_complaint_begins_with_the_place_of_its_value);
          tcase_add_test(tests, an_alias_stands_for_the_value_of_its_anchor);
          tcase_add_loop_test(tests, what_is_not_one_good_document_is_refused_with_its_place, 0,
                              (int)(sizeof(refused) / sizeof(refused[0])));
          tcase_add_test(tests, nesting_is_allowed_up_to_the_cap_and_no_further);
          tcase_add_test(tests, a_file_is_allowed_up_to_the_cap_and_no_further);
          tcase_add_test(tests, a_file_that_cannot_be_read_is_named);)
