/*
 * What each unit test program needs: SUITE names its tests, whose names read as
 * sentences, and makes its main.
 */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <check.h>
#include <stdlib.h>

#define ck_assert_str_is(actual, expected)                                                         \
    ck_assert_msg(str_equal((actual), str_of(expected)), "'%.*s' is not '%s'", (int)(actual).len,  \
                  (actual).data, expected)

/* Use: UNIT_MAIN("chain", tcase_add_test(tests, ...); tcase_add_loop_test(...);) */
#define UNIT_MAIN(name, ...)                                                                       \
    int main(void)                                                                                 \
    {                                                                                              \
        Suite *suite = suite_create(name);                                                         \
        TCase *tests = tcase_create(name);                                                         \
        SRunner *runner;                                                                           \
        int failed;                                                                                \
        tcase_set_timeout(tests, 600);                                                             \
        __VA_ARGS__                                                                                \
        suite_add_tcase(suite, tests);                                                             \
        runner = srunner_create(suite);                                                            \
        srunner_run_all(runner, CK_NORMAL);                                                        \
        failed = srunner_ntests_failed(runner);                                                    \
        srunner_free(runner);                                                                      \
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;                                          \
    }

#endif
