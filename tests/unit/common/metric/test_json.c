#include "common/metric/json.h"
#include "common/metric/metric.h"
#include "tests/unit/unit.h"

#define DOOR_METRICS(X)                                                                            \
    X(opened, COUNTER, "times it was opened")                                                      \
    X(angle, GAUGE, "degrees")

struct door_metrics {
    DOOR_METRICS(METRIC_FIELD)
};

static const struct metric door_table[] = {DOOR_METRICS(METRIC_DESCRIBE)};

START_TEST(objects_stand_as_readers_of_nutcracker_know_them)
{
    struct json json = {0};

    json_open(&json, (struct str){0});
    json_text(&json, STR("service"), STR("nutcracker"));
    json_number(&json, STR("uptime"), 7);
    json_open(&json, STR("pool"));
    json_number(&json, STR("a"), 1);
    json_open(&json, STR("s1"));
    json_number(&json, STR("b"), 2);
    json_close(&json);
    json_open(&json, STR("s2"));
    json_close(&json);
    json_close(&json);
    json_close(&json);
    ck_assert(!json.failed);
    ck_assert_str_is(((struct str){json.text, json.len}),
                     "{\"service\":\"nutcracker\", \"uptime\":7, \"pool\": {\"a\":1, "
                     "\"s1\": {\"b\":2},\"s2\": {}}}");
    free(json.text);
}
END_TEST

START_TEST(names_cannot_break_out_of_their_quotes)
{
    struct json json = {0};

    json_text(&json, STR("a\"b"), STR("c\\d\n\x01"));
    ck_assert_str_is(((struct str){json.text, json.len}), "\"a\\\"b\":\"c\\\\d\\u000a\\u0001\"");
    free(json.text);
}
END_TEST

START_TEST(a_metrics_block_is_an_array_of_its_rows)
{
    struct door_metrics doors[2] = {{3, 10}, {4, 20}};
    uint64_t sum[2] = {0};

    ck_assert_uint_eq(sizeof(struct door_metrics) / sizeof(uint64_t),
                      sizeof(door_table) / sizeof(door_table[0]));
    metric_add(&doors[0].opened, 2);
    metric_sub(&doors[1].angle, 5);
    for (int i = 0; i < 2; i++)
        metric_sum(sum, &doors[i].opened, 2);
    ck_assert_uint_eq(sum[0], 9);
    ck_assert_uint_eq(sum[1], 25);
    ck_assert_str_eq(door_table[1].name, "angle");
}
END_TEST

UNIT_MAIN("metric/json", tcase_add_test(tests, objects_stand_as_readers_of_nutcracker_know_them);
          tcase_add_test(tests, names_cannot_break_out_of_their_quotes);
          tcase_add_test(tests, a_metrics_block_is_an_array_of_its_rows);)
