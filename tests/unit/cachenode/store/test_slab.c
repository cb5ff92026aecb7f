#include "cachenode/store/slab.h"
#include "tests/unit/unit.h"

static struct slab slab;
static struct magazine magazines[SLAB_CLASS_MAX];
static uint64_t dice;

static void open_slab_of(const struct slab_options *options)
{
    const char *error;

    ck_assert(slab_init(&slab, options, &error));
    for (unsigned i = 1; i <= slab.class_count; i++)
        magazine_init(&slab, i, &magazines[i]);
}

static void open_slab(uint64_t megabytes)
{
    open_slab_of(&(struct slab_options){
        .memory_bytes = megabytes << 20, .min_size = 48, .factor = 1.25, .chunk_max = CHUNK_LIMIT});
}

static uint32_t pages_of(unsigned class_id)
{
    return slab.classes[class_id].page_count;
}

START_TEST(every_size_has_the_smallest_class_that_holds_it)
{
    open_slab(64);
    for (size_t size = 1; size <= CHUNK_LIMIT; size++) {
        unsigned class_id = slab_class_for(&slab, size);

        ck_assert_uint_ge(slab.classes[class_id].chunk_size, size);
        if (class_id > 1)
            ck_assert_uint_lt(slab.classes[class_id - 1].chunk_size, size);
    }
    ck_assert_uint_eq(slab_class_for(&slab, CHUNK_LIMIT + 1), 0);
    slab_free(&slab);
}
END_TEST

START_TEST(little_is_lost_to_rounding)
{
    open_slab(64);
    for (unsigned i = 2; i <= slab.class_count; i++) {
        uint32_t size = slab.classes[i].chunk_size, below = slab.classes[i - 1].chunk_size;

        ck_assert_uint_gt(size, below);
        ck_assert_uint_le(size - below, size <= 256 ? 8 : size <= 1024 ? size / 14 : size / 4);
        ck_assert_uint_ge(slab.classes[i].chunks_per_page * size, PAGE_SIZE - PAGE_SIZE / 16);
    }
    slab_free(&slab);
}
END_TEST

START_TEST(given_sizes_or_a_factor_are_kept_to)
{
    open_slab_of(&(struct slab_options){.memory_bytes = 64 << 20,
                                        .min_size = 48,
                                        .factor = 1.25,
                                        .chunk_max = 16384,
                                        .sizes = {.count = 2, .sizes = {100, 200}}});
    ck_assert_uint_eq(slab.class_count, 3);
    ck_assert_uint_eq(slab.classes[1].chunk_size, 104);
    ck_assert_uint_eq(slab.classes[3].chunk_size, 16384);
    slab_free(&slab);
    open_slab_of(&(struct slab_options){
        .memory_bytes = 64 << 20, .min_size = 72, .factor = 2, .chunk_max = CHUNK_LIMIT});
    ck_assert_uint_eq(slab.classes[1].chunk_size, 96);
    ck_assert_uint_eq(slab.classes[2].chunk_size, 192);
    slab_free(&slab);
}
END_TEST

START_TEST(memory_ends_at_the_limit_and_an_empty_page_serves_any_class)
{
    static void *chunks[64];
    unsigned large, count = 0;

    open_slab(1);
    large = slab_class_for(&slab, CHUNK_LIMIT);
    while ((chunks[count] = slab_take(&slab, &magazines[large], large)) != NULL)
        count++;
    ck_assert_uint_eq(count, (1 << 20) / CHUNK_LIMIT);
    ck_assert_ptr_null(slab_take(&slab, &magazines[1], 1));
    while (count != 0)
        slab_give(&slab, &magazines[large], chunks[--count]);
    ck_assert_uint_eq(pages_of(large), 1);
    ck_assert_ptr_nonnull(slab_take(&slab, &magazines[1], 1));
    slab_free(&slab);
}
END_TEST

START_TEST(a_page_leaves_when_its_last_chunk_is_back)
{
    unsigned class_id = 5;
    void *chunk;
    uint32_t page;

    open_slab(64);
    chunk = slab_take(&slab, &magazines[class_id], class_id);
    ck_assert_uint_eq(slab_page_leave(&slab, class_id, true, &dice), 0);
    page = slab_page_leave(&slab, class_id, false, &dice);
    ck_assert_uint_ne(page, 0);
    ck_assert_uint_eq(pages_of(class_id), 0);
    ck_assert(!slab_page_arrive(&slab, page, 9));
    magazine_purge(&slab, &magazines[class_id], page);
    ck_assert(!slab_page_arrive(&slab, page, 9));
    slab_give(&slab, &magazines[class_id], chunk);
    ck_assert(slab_page_arrive(&slab, page, 9));
    ck_assert_uint_eq(pages_of(9), 1);
    ck_assert_uint_eq(slab_class_of(&slab, slab_take(&slab, &magazines[9], 9)), 9);
    slab_free(&slab);
}
END_TEST

START_TEST(a_page_that_may_stay_has_all_its_chunks)
{
    static void *chunks[PAGE_SIZE / 56];
    unsigned count;
    uint32_t page;

    open_slab(64);
    count = slab.classes[1].chunks_per_page;
    for (unsigned i = 0; i < count; i++)
        chunks[i] = slab_take(&slab, &magazines[1], 1);
    page = slab_page_leave(&slab, 1, false, &dice);
    for (unsigned i = 0; i < count / 2; i++)
        slab_give(&slab, &magazines[1], chunks[i]);
    slab_page_stay(&slab, page);
    ck_assert_uint_eq(pages_of(1), 1);
    for (unsigned i = 0; i < count / 2; i++)
        ck_assert_ptr_nonnull(slab_take(&slab, &magazines[1], 1));
    ck_assert_uint_eq(pages_of(1), 1);
    slab_free(&slab);
}
END_TEST

START_TEST(a_sample_is_of_chunks_that_were_given_out)
{
    struct item *sample[64];
    char *first;
    unsigned count;

    open_slab(64);
    first = slab_take(&slab, &magazines[3], 3);
    count = slab_sample(&slab, 3, &dice, sample, 64);
    for (unsigned i = 0; i < count; i++)
        ck_assert_int_lt((char *)sample[i] - first, MAGAZINE_MAX * (int)slab.classes[3].chunk_size);
    slab_free(&slab);
}
END_TEST

UNIT_MAIN("slab", tcase_add_test(tests, every_size_has_the_smallest_class_that_holds_it);
          tcase_add_test(tests, little_is_lost_to_rounding);
          tcase_add_test(tests, given_sizes_or_a_factor_are_kept_to);
          tcase_add_test(tests, memory_ends_at_the_limit_and_an_empty_page_serves_any_class);
          tcase_add_test(tests, a_page_leaves_when_its_last_chunk_is_back);
          tcase_add_test(tests, a_page_that_may_stay_has_all_its_chunks);
          tcase_add_test(tests, a_sample_is_of_chunks_that_were_given_out);)
