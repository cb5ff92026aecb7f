#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cachenode/settings.h"
#include "cachenode/stats.h"
#include "cachenode/udp.h"
#include "tests/unit/cachenode/store/usual.h"

enum { VALUE_LEN = 300000, PART = 1392 };

static struct settings settings;
static struct stats_source source = {.settings = &settings};
static struct client_context context;
static struct list udps;
static struct loop loop;

static void open_all(int *ours)
{
    char *argv[] = {"cachenode"};
    int ends[2];

    ck_assert_int_eq(settings_parse(1, argv, &settings), 0);
    ck_assert(loop_open(&loop));
    source.store = make_store(usual_options(64));
    source.prefixes = prefixes_create(':', false);
    ck_assert_ptr_nonnull(source.prefixes);
    context = (struct client_context){
        .loop = &loop, .user = store_user_create(source.store), .source = &source};
    list_init(&udps);
    /* These queue few datagrams, and then have the sender wait. */
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
    evutil_make_socket_nonblocking(ends[0]);
    udp_open(&context, ends[0], &udps);
    *ours = ends[1];
}

static void close_all(int ours)
{
    udp_close_all(&udps);
    close(ours);
    store_user_free(context.user);
    store_free(source.store);
    prefixes_free(source.prefixes);
    loop_close(&loop);
    settings_free(&settings);
    chain_trim();
}

static void *run(void *arg)
{
    loop_run(arg);
    chain_trim();
    return NULL;
}

static void put_value(void)
{
    struct str key = STR("k");
    struct item *item;
    static char value[VALUE_LEN];

    for (int i = 0; i < VALUE_LEN; i++)
        value[i] = (char)(i % 251);
    ck_assert_int_eq(
        store_reserve(context.user, key, &(struct item_traits){.flags = 0}, VALUE_LEN, &item),
        STORE_ROOM);
    store_fill_value(context.user, item, value);
    ck_assert_int_eq(store_put(context.user, item, store_hash(key),
                               &(struct store_terms){.mode = STORE_SET}, NULL),
                     STORE_STORED);
}

/* Has a thread answer the request, which is for the value. Returns our end of the socket. */
static int ask(struct str request, pthread_t *thread)
{
    int ours;

    open_all(&ours);
    put_value();
    ck_assert_int_eq(pthread_create(thread, NULL, run, &loop), 0);
    ck_assert_int_eq(send(ours, request.data, request.len, 0), (ssize_t)request.len);
    return ours;
}

static void end(pthread_t thread, int ours)
{
    loop_stop(&loop);
    pthread_join(thread, NULL);
    close_all(ours);
}

START_TEST(a_reply_waits_for_a_socket_that_is_full_and_then_goes_on)
{
    static const char request[] = "\1\2\0\0\0\1\0\0get k\r\nmn\r\n";
    static const char head[] = "VALUE k 0 300000\r\n";
    size_t len = strlen(head) + VALUE_LEN + strlen("\r\nEND\r\n");
    unsigned total = (unsigned)((len + PART - 1) / PART);
    unsigned char datagram[2000];
    pthread_t thread;
    int ours = ask((struct str){request, sizeof(request) - 1}, &thread);

    for (unsigned i = 0; i < total; i++) {
        ssize_t got = recv(ours, datagram, sizeof(datagram), 0);

        ck_assert_int_eq(got, 8 + (i + 1 < total ? PART : (ssize_t)(len - i * (size_t)PART)));
        ck_assert_uint_eq((unsigned)datagram[0] << 8 | datagram[1], 0x0102);
        ck_assert_uint_eq((unsigned)datagram[2] << 8 | datagram[3], i);
        ck_assert_uint_eq((unsigned)datagram[4] << 8 | datagram[5], total);
        if (i != 0 && i + 1 < total)
            ck_assert_uint_eq(datagram[8], (i * (size_t)PART - strlen(head)) % 251);
    }
    ck_assert_int_eq(recv(ours, datagram, sizeof(datagram), 0), 8 + 4);
    ck_assert_mem_eq(datagram + 8, "MN\r\n", 4);
    end(thread, ours);
}
END_TEST

START_TEST(a_socket_is_closed_in_the_middle_of_a_reply)
{
    static const char request[] = "\1\2\0\0\0\1\0\0get k\r\n";
    char datagram[2000];
    pthread_t thread;
    int ours = ask((struct str){request, sizeof(request) - 1}, &thread);

    ck_assert_int_eq(recv(ours, datagram, sizeof(datagram), 0), 8 + PART);
    end(thread, ours);
}
END_TEST

UNIT_MAIN("udp", tcase_add_test(tests, a_reply_waits_for_a_socket_that_is_full_and_then_goes_on);
          tcase_add_test(tests, a_socket_is_closed_in_the_middle_of_a_reply);)
