#include "common/hash/hash.h"
#include "tests/unit/unit.h"

/* The lower halves of what xxhsum -H3 prints for these. */
static const struct {
    const char *key;
    uint32_t hash;
} xxh3[] = {
    {"a", 0x1e964e1f},
    {"abc", 0x892f3950},
    {"user:1001", 0x0ee66e90},
    {"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
     "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
     "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
     0x4c5428f3},
};

START_TEST(xxh3_is_the_lower_half_of_the_published_function)
{
    ck_assert_uint_eq(hash_xxh3(str_of(xxh3[_i].key)), xxh3[_i].hash);
    ck_assert_ptr_eq(hash_find(STR("xxh3"))->of, hash_xxh3);
}
END_TEST

START_TEST(an_empty_key_hashes_to_zero_whatever_the_function)
{
    for (const struct hash *hash = hashes; hash->name != NULL; hash++)
        ck_assert_uint_eq(hash_key(hash, STR("")), 0);
}
END_TEST

UNIT_MAIN("hash", tcase_add_loop_test(tests, xxh3_is_the_lower_half_of_the_published_function, 0,
                                      (int)(sizeof(xxh3) / sizeof(xxh3[0])));
          tcase_add_test(tests, an_empty_key_hashes_to_zero_whatever_the_function);)
