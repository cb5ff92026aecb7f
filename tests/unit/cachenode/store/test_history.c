/*
 * Eight threads work on a hundred keys while pages move, the index grows, the crawler
 * runs and everything is flushed now and then. What each of them asked and was told is
 * recorded; then each key's history must be linearizable: there is an order of the
 * operations, each between its call and its return, in which one thread alone would have
 * been told the same (M. Herlihy, J. Wing, 1990; checked just in time as by G. Lowe,
 * "Testing for linearizability", 2017).
 *
 * HISTORY_OPERATIONS sets how many operations there are: many take longer than Check allows,
 * unless CK_TIMEOUT_MULTIPLIER has it wait.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "cachenode/store/store.h"
#include "common/base/panic.h"
#include "common/bytes/number.h"
#include "tests/unit/cachenode/store/usual.h"

enum { THREADS = 8, FLUSHER = THREADS, ACTORS = THREADS + 1, KEYS = 100, OPERATIONS = 1000000 };
enum {
    FLUSH_EVERY = 5000,
    FILLERS_EVERY = 8,
    LARGE_MAX = 100000,
    MOVES = 30,
    CONFIGURATIONS_MAX = 4096
};

enum kind { SET, ADD, GET, CAS, INCR, DELETE, TOUCH, FLUSH };

/* An operation and its outcome. No value is ever stored twice: a value is a version. */
struct operation {
    uint64_t called, returned; /* on one clock for all */
    uint64_t value;            /* asked to be stored, or seen; 0: none was there */
    uint64_t expected;         /* cas: the value whose token was given */
    uint8_t kind, key, actor;
    bool is_done; /* stored, found, deleted */
};

struct actor {
    unsigned number;
    struct store_user *user;
    struct operation *operations;
    size_t count;
    uint64_t random, stored;
    uint64_t seen[KEYS], tokens[KEYS]; /* of its last gets */
};

static struct store *store;
static struct actor actors[ACTORS];
static uint64_t ticks;
static size_t operations_each;
static bool is_over;

static uint64_t tick(void)
{
    return __atomic_add_fetch(&ticks, 1, __ATOMIC_SEQ_CST);
}

static uint32_t draw(struct actor *actor, uint32_t below)
{
    actor->random = actor->random * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)((actor->random >> 32) * below >> 32);
}

static struct str key_of(unsigned key, char *room)
{
    return (struct str){room, (size_t)sprintf(room, "key-%u", key)};
}

/* Some keys are counters, others have values of many sizes, up to several pieces. */
static size_t value_len(unsigned key, uint64_t value)
{
    if (key % 4 == 0)
        return 0;
    return key % 20 == 1 ? value / 7 % LARGE_MAX : value / 7 % 600;
}

/* The number in decimal, and behind it bytes that follow from it. */
static void fill(struct store_user *user, struct item *item, uint64_t value)
{
    char digits[NUMBER_TEXT_MAX], *piece;
    size_t head = number_format(digits, value), done = 0, len;

    while (done < item->value_len && (len = store_value_piece(user, item, done, &piece)) != 0) {
        for (size_t i = 0; i < len; i++, done++)
            piece[i] = done < head ? digits[done] : (char)('a' + (value + done) % 26);
    }
}

static uint64_t read_value(struct store_user *user, struct item *item)
{
    char *piece;
    size_t done = 0, len = store_value_piece(user, item, 0, &piece), digits = 0;
    uint64_t value = 0;

    while (digits < len && piece[digits] >= '0' && piece[digits] <= '9')
        value = value * 10 + (uint64_t)(piece[digits++] - '0');
    while (done < item->value_len && (len = store_value_piece(user, item, done, &piece)) != 0) {
        for (size_t i = 0; i < len; i++, done++) {
            if (done >= digits && piece[i] != ' ')
                ASSERT(piece[i] == (char)('a' + (value + done) % 26));
        }
    }
    return value;
}

static bool put(struct actor *actor, struct operation *operation, const struct store_terms *terms)
{
    static const struct item_traits traits = {.flags = 0};
    char room[16], digits[NUMBER_TEXT_MAX];
    struct str key = key_of(operation->key, room);
    struct item *item;
    size_t len;

    operation->value = ((uint64_t)(actor->number + 1) << 40) + (++actor->stored << 14);
    len = number_format(digits, operation->value) + value_len(operation->key, operation->value);
    ASSERT(store_reserve(actor->user, key, &traits, (uint32_t)len, &item) == STORE_ROOM);
    fill(actor->user, item, operation->value);
    return store_put(actor->user, item, store_hash(key), terms, NULL) == STORE_STORED;
}

static void run_get(struct actor *actor, struct operation *operation)
{
    char room[16];
    struct str key = key_of(operation->key, room);
    uint32_t hash = store_hash(key);
    struct item *item = store_get(actor->user, key, hash, NULL);
    uint64_t cas;
    bool is_held;

    operation->is_done = item != NULL;
    if (item == NULL)
        return;
    cas = store_item_cas(actor->user, item);
    /* Half of them are read later, as a reply that waits to be sent is. A counter may be
     * changed in place, but not while it is held. */
    is_held = draw(actor, 2) == 0 && store_hold(actor->user, item);
    if (is_held) {
        store_get_end(actor->user, hash);
        operation->value = read_value(actor->user, item);
        store_release(actor->user, item);
    } else {
        operation->value = read_value(actor->user, item);
        store_get_end(actor->user, hash);
    }
    actor->seen[operation->key] = operation->value;
    actor->tokens[operation->key] = cas;
}

static void run(struct actor *actor, struct operation *operation)
{
    char room[16];
    struct str key = key_of(operation->key, room);
    uint32_t hash = store_hash(key);

    switch ((enum kind)operation->kind) {
    case SET:
        operation->is_done = put(actor, operation, &(struct store_terms){.mode = STORE_SET});
        break;
    case ADD:
        operation->is_done = put(actor, operation, &(struct store_terms){.mode = STORE_ADD});
        break;
    case CAS:
        operation->expected = actor->seen[operation->key];
        operation->is_done =
            put(actor, operation,
                &(struct store_terms){
                    .mode = STORE_SET, .compares = true, .cas = actor->tokens[operation->key]});
        break;
    case GET:
        run_get(actor, operation);
        break;
    case INCR:
        operation->is_done =
            store_add_number(actor->user, key, hash, 1, false, &operation->value) == STORE_STORED;
        break;
    case DELETE:
        operation->is_done = store_delete(actor->user, key, hash) == STORE_STORED;
        break;
    case TOUCH:
        operation->is_done =
            store_touch(actor->user, key, hash, store_expiry(store, 10000)) == STORE_STORED;
        break;
    case FLUSH:
        store_flush(store, 0);
        break;
    }
}

static enum kind draw_kind(struct actor *actor, unsigned key)
{
    static const uint8_t kinds[] = {GET, GET, GET, GET, SET, SET, CAS, CAS, ADD, DELETE, TOUCH};

    return key % 4 == 0 && draw(actor, 3) == 0 ? INCR
                                               : (enum kind)kinds[draw(actor, sizeof(kinds))];
}

static void record(struct actor *actor, enum kind kind, unsigned key)
{
    struct operation *operation = &actor->operations[actor->count++];

    *operation = (struct operation){
        .kind = (uint8_t)kind, .key = (uint8_t)key, .actor = (uint8_t)actor->number};
    operation->called = tick();
    run(actor, operation);
    operation->returned = tick();
}

/* Keys of its own, which nobody checks, make the index grow. */
static void add_filler(struct actor *actor)
{
    char room[40];
    struct str key = {room, (size_t)sprintf(room, "filler-%u-%zu", actor->number, actor->count)};
    struct item *item;

    if (store_reserve(actor->user, key, &(struct item_traits){.flags = 0}, 10, &item) != STORE_ROOM)
        return;
    memset(item_value(item), 'f', 10);
    store_put(actor->user, item, store_hash(key), &(struct store_terms){.mode = STORE_SET}, NULL);
}

static void *act(void *arg)
{
    struct actor *actor = arg;

    while (actor->count < operations_each) {
        unsigned key = draw(actor, KEYS);

        record(actor, draw_kind(actor, key), key);
        if (actor->count % FILLERS_EVERY == 0)
            add_filler(actor);
    }
    return NULL;
}

/* Does what upkeep does, more often, and flushes. */
static void *disturb(void *arg)
{
    struct actor *actor = arg;
    struct store_totals totals;
    uint64_t flush_at = 0;
    unsigned class_count;

    store_totals(store, &totals);
    class_count = totals.class_count;

    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        store_tick(store);
        store_balance(actor->user);
        store_grow(actor->user);
        store_crawl(actor->user);
        for (int i = 0; i < MOVES; i++) {
            const unsigned from[] = {1, 1 + draw(actor, class_count / 2), class_count};

            store_reassign(actor->user, from[i % 3], draw(actor, class_count / 2));
            store_move_pages(actor->user);
        }
        if (__atomic_load_n(&ticks, __ATOMIC_RELAXED) > flush_at &&
            actor->count < operations_each) {
            record(actor, FLUSH, 0);
            flush_at = __atomic_load_n(&ticks, __ATOMIC_RELAXED) + FLUSH_EVERY;
        }
    }
    return NULL;
}

/* --- is it linearizable? --- */

/* What might be: who of those under way has already taken effect, and the value then. */
struct configuration {
    uint32_t done;
    uint64_t value; /* 0: there is none */
};

static struct configuration configurations[CONFIGURATIONS_MAX];
static size_t configuration_count;

/* The operation on the state: whether it could have had this outcome; changes the value. */
static bool apply(const struct operation *operation, uint64_t *value)
{
    uint64_t before = *value;
    bool is_there = before != 0;

    switch ((enum kind)operation->kind) {
    case SET:
        *value = operation->value;
        return operation->is_done;
    case ADD:
        if (operation->is_done)
            *value = operation->value;
        return operation->is_done == !is_there;
    case CAS:
        if (operation->is_done)
            *value = operation->value;
        return operation->is_done == (is_there && before == operation->expected);
    case GET:
        return operation->is_done ? before == operation->value : !is_there;
    case INCR:
        if (operation->is_done)
            *value = operation->value;
        return operation->is_done ? is_there && before + 1 == operation->value : !is_there;
    case DELETE:
        *value = 0;
        return operation->is_done == is_there;
    case TOUCH:
        return operation->is_done == is_there;
    case FLUSH:
        *value = 0;
        return true;
    }
    return false;
}

static void add_configuration(uint32_t done, uint64_t value)
{
    for (size_t i = 0; i < configuration_count; i++) {
        if (configurations[i].done == done && configurations[i].value == value)
            return;
    }
    ck_assert_uint_lt(configuration_count, CONFIGURATIONS_MAX);
    configurations[configuration_count++] = (struct configuration){done, value};
}

/* `actor` was answered: whatever else has happened, his operation has. */
static bool close_operation(const struct operation *const *open, unsigned actor)
{
    size_t kept = 0;

    for (size_t i = 0; i < configuration_count; i++) {
        for (unsigned other = 0; other < ACTORS; other++) {
            uint64_t value = configurations[i].value;

            if (open[other] != NULL && (configurations[i].done >> other & 1) == 0 &&
                apply(open[other], &value))
                add_configuration(configurations[i].done | 1u << other, value);
        }
    }
    for (size_t i = 0; i < configuration_count; i++) {
        if (configurations[i].done >> actor & 1) {
            configurations[kept] = configurations[i];
            configurations[kept++].done &= ~(1u << actor);
        }
    }
    configuration_count = kept;
    return kept != 0;
}

struct event {
    uint64_t at;
    const struct operation *operation;
};

static int compare_events(const void *a, const void *b)
{
    const struct event *first = a, *second = b;

    return first->at < second->at ? -1 : 1;
}

/* The key's calls and returns in the order of time. */
static size_t collect(unsigned key, struct event *events)
{
    size_t count = 0;

    for (unsigned i = 0; i < ACTORS; i++) {
        for (size_t j = 0; j < actors[i].count; j++) {
            const struct operation *operation = &actors[i].operations[j];

            if (operation->key != key && operation->kind != FLUSH)
                continue;
            events[count++] = (struct event){operation->called, operation};
            events[count++] = (struct event){operation->returned, operation};
        }
    }
    qsort(events, count, sizeof(*events), compare_events);
    return count;
}

static void check_key(unsigned key, struct event *events)
{
    const struct operation *open[ACTORS] = {NULL};
    size_t count = collect(key, events);

    configuration_count = 0;
    add_configuration(0, 0);
    for (size_t i = 0; i < count; i++) {
        const struct operation *operation = events[i].operation;

        if (events[i].at == operation->called) {
            open[operation->actor] = operation;
            continue;
        }
        ck_assert_msg(close_operation(open, operation->actor),
                      "key %u: operation %u of actor %u at %llu cannot have had its outcome", key,
                      operation->kind, operation->actor, (unsigned long long)operation->called);
        open[operation->actor] = NULL;
    }
}

static void open_store(void)
{
    /* None may be evicted. */
    uint64_t memory_mb = 256 * (1 + operations_each * THREADS / OPERATIONS);
    struct store_options options = usual_options(memory_mb);

    options.hash_power = 12;
    options.tuning.automove = STORE_AUTOMOVE_EAGER;
    store = make_store(options);
}

static void run_history(void)
{
    pthread_t threads[ACTORS];

    for (unsigned i = 0; i < ACTORS; i++) {
        actors[i] = (struct actor){.number = i, .random = i, .user = store_user_create(store)};
        actors[i].operations = malloc(operations_each * sizeof(struct operation));
        pthread_create(&threads[i], NULL, i == FLUSHER ? disturb : act, &actors[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    __atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
    pthread_join(threads[FLUSHER], NULL);
}

START_TEST(every_keys_history_is_linearizable_while_pages_move_and_the_index_grows)
{
    const char *wanted = getenv("HISTORY_OPERATIONS");
    struct store_totals totals;
    struct event *events;

    operations_each = (wanted == NULL ? OPERATIONS : strtoull(wanted, NULL, 10)) / THREADS;
    open_store();
    run_history();
    store_totals(store, &totals);
    ck_assert_uint_eq(totals.evictions, 0);
    ck_assert_uint_gt(totals.metrics.slabs_moved, 10);
    ck_assert_uint_gt(totals.metrics.slab_reassign_rescues, 0);
    ck_assert_uint_gt(totals.metrics.slab_reassign_chunk_rescues, 0);
    events = malloc(2 * ACTORS * operations_each * sizeof(*events));
    for (unsigned key = 0; key < KEYS; key++)
        check_key(key, events);
    free(events);
    for (unsigned i = 0; i < ACTORS; i++) {
        free(actors[i].operations);
        store_user_free(actors[i].user);
    }
    store_free(store);
}
END_TEST

UNIT_MAIN("history",
          tcase_add_test(tests,
                         every_keys_history_is_linearizable_while_pages_move_and_the_index_grows);)
