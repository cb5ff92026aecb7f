#include <check.h>
#include <stdlib.h>

#include "common/bytes/base64.h"

static const struct {
    const char *bytes, *text;
} vectors[] = {/* RFC 4648, section 10 */
               {"f", "Zg=="},        {"fo", "Zm8="},        {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};

enum { VECTOR_COUNT = sizeof(vectors) / sizeof(vectors[0]) };

START_TEST(encodes_and_decodes_the_vectors_of_the_standard)
{
    struct str bytes = str_of(vectors[_i].bytes), text = str_of(vectors[_i].text);
    char out[16];

    ck_assert_uint_eq(base64_encode(out, bytes), text.len);
    ck_assert_mem_eq(out, text.data, text.len);
    ck_assert_uint_eq(base64_decode(out, text), bytes.len);
    ck_assert_mem_eq(out, bytes.data, bytes.len);
}
END_TEST

START_TEST(any_bytes_come_back)
{
    char bytes[256], text[BASE64_LEN(256)], back[256 + 3];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7);
    for (size_t len = 1; len <= sizeof(bytes); len++) {
        size_t text_len = base64_encode(text, (struct str){bytes, len});

        ck_assert_uint_eq(text_len, BASE64_LEN(len));
        ck_assert_uint_eq(base64_decode(back, (struct str){text, text_len}), len);
        ck_assert_mem_eq(back, bytes, len);
    }
}
END_TEST

static const char *const wrong[] = {
    "",         "Z",
    "Zg",       "Zg=",
    "Zg==Zg==", "Z===",
    "====",     "Zh==" /* a bit too many */,
    "Zm9=",     "Zm 9",
    "Zm9-",     "Zm9_",
    "Z=9v",     "\xff\xff\xff\xff",
};

START_TEST(what_is_no_canonical_base64_is_refused)
{
    char out[16];

    ck_assert_uint_eq(base64_decode(out, str_of(wrong[_i])), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base64");
    TCase *all = tcase_create("base64");

    tcase_add_loop_test(all, encodes_and_decodes_the_vectors_of_the_standard, 0, VECTOR_COUNT);
    tcase_add_test(all, any_bytes_come_back);
    tcase_add_loop_test(all, what_is_no_canonical_base64_is_refused, 0,
                        sizeof(wrong) / sizeof(wrong[0]));
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
