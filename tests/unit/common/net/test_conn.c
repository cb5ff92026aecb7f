#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/net/conn.h"
#include "common/net/listener.h"
#include "tests/unit/unit.h"

/*
 * An owner that uses its input in messages of `unit` bytes (0: all there is), keeps what it
 * saw, and stops the loop when the connection is gone.
 */
struct owner {
    struct conn conn;
    size_t unit, seen_len, received_len;
    unsigned inputs, receiveds;
    bool wants, yields, echoes, closes, is_closed, is_drained;
    char seen[1 << 18], body[1 << 18];
};

static struct loop loop;
static struct owner owner;
static int peer;

static size_t owner_input(struct conn *conn, struct str in)
{
    struct owner *me = container_of(conn, struct owner, conn);
    size_t use = in.len;

    me->inputs++;
    if (me->unit != 0) {
        use = in.len / me->unit * me->unit;
        if (me->yields && use > me->unit)
            use = me->unit;
        if (use < in.len && use == 0 && me->wants)
            conn_want(conn, me->unit);
        if (me->yields && use < in.len)
            conn_yield(conn);
    }
    if (me->echoes) {
        ck_assert(chain_copy(&conn->out, (struct str){in.data, use}));
        conn_flush_later(conn);
    }
    if (me->closes)
        conn_close(conn);
    memcpy(me->seen + me->seen_len, in.data, use);
    me->seen_len += use;
    return use;
}

static void owner_received(struct conn *conn)
{
    container_of(conn, struct owner, conn)->receiveds++;
}

static void owner_drained(struct conn *conn)
{
    container_of(conn, struct owner, conn)->is_drained = true;
}

static void owner_closed(struct conn *conn)
{
    container_of(conn, struct owner, conn)->is_closed = true;
    loop_stop(conn->loop);
}

static const struct conn_ops ops = {.input = owner_input,
                                    .received = owner_received,
                                    .drained = owner_drained,
                                    .closed = owner_closed};

static void start(void)
{
    int ends[2];

    ck_assert(loop_open(&loop));
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    memset(&owner, 0, sizeof(owner));
    peer = ends[1];
    conn_open(&owner.conn, &loop, ends[0], &ops);
}

static void finish(void)
{
    if (peer >= 0)
        close(peer);
    if (!owner.is_closed)
        loop_run(&loop);
    loop_close(&loop);
}

/* Turns the loop until nothing more is to be read. */
static void stop_now(struct loop_timer *timer)
{
    (void)timer;
    loop_stop(&loop);
}

static void turn_for_us(uint64_t delay_us)
{
    struct loop_timer timer;

    loop_timer_init(&loop, &timer, stop_now);
    loop_timer_set(&timer, delay_us);
    loop_run(&loop);
    loop_timer_clear(&timer);
    loop.stopping = false;
}

static void peer_sends(const char *data, size_t len)
{
    ck_assert_int_eq(send(peer, data, len, 0), (ssize_t)len);
    turn_for_us(1000);
}

START_TEST(what_is_not_used_is_shown_again_with_what_follows)
{
    start();
    owner.unit = 4;
    peer_sends("abcdef", 6);
    ck_assert_uint_eq(owner.seen_len, 4);
    peer_sends("gh", 2);
    ck_assert_uint_eq(owner.seen_len, 8);
    ck_assert_mem_eq(owner.seen, "abcdefgh", 8);
    finish();
}
END_TEST

START_TEST(an_idle_connection_owns_no_buffer)
{
    start();
    owner.unit = 4;
    peer_sends("abcdef", 6);
    ck_assert_ptr_nonnull(owner.conn.kept);
    peer_sends("gh", 2);
    ck_assert_ptr_null(owner.conn.kept);
    ck_assert_ptr_null(owner.conn.out.slices);
    ck_assert_uint_le(sizeof(struct conn), 272);
    finish();
}
END_TEST

START_TEST(messages_arrive_whole_however_they_are_cut)
{
    static char sent[600];

    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (char)i;
    start();
    owner.unit = 100;
    for (size_t i = 0; i < sizeof(sent); i++) {
        ck_assert_int_eq(send(peer, sent + i, 1, 0), 1);
        turn_for_us(1);
    }
    turn_for_us(1000);
    ck_assert_uint_eq(owner.seen_len, sizeof(sent));
    ck_assert_mem_eq(owner.seen, sent, sizeof(sent));
    finish();
}
END_TEST

START_TEST(a_large_whole_that_is_wanted_is_shown_once_it_is_there)
{
    static char sent[150000];

    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (char)(i * 31 + i / 255);
    start();
    owner.unit = sizeof(sent);
    owner.wants = true;
    for (size_t i = 0; i < sizeof(sent); i += 10000)
        peer_sends(sent + i, 10000);
    ck_assert_uint_eq(owner.seen_len, sizeof(sent));
    ck_assert_mem_eq(owner.seen, sent, sizeof(sent));
    ck_assert_uint_le(owner.inputs, 3);
    ck_assert_ptr_null(owner.conn.kept);
    finish();
}
END_TEST

START_TEST(bytes_are_received_straight_to_where_they_belong)
{
    static char sent[100003];

    memset(sent, 'b', sizeof(sent));
    memcpy(sent + 100000, "xyz", 3);
    start();
    conn_receive(&owner.conn, owner.body, 100000);
    for (size_t i = 0; i < sizeof(sent); i += 33335)
        peer_sends(sent + i, sizeof(sent) - i < 33335 ? sizeof(sent) - i : 33335);
    ck_assert_uint_eq(owner.receiveds, 1);
    ck_assert_mem_eq(owner.body, sent, 100000);
    ck_assert_uint_eq(owner.seen_len, 3);
    ck_assert_mem_eq(owner.seen, "xyz", 3);
    finish();
}
END_TEST

/* What is shown by and by takes as many turns as it takes. */
static void turn_until_seen(size_t len)
{
    while (owner.seen_len < len)
        turn_for_us(1000);
}

START_TEST(a_yield_goes_on_with_the_rest_by_itself)
{
    start();
    owner.unit = 2;
    owner.yields = true;
    peer_sends("aabbccdd", 8);
    turn_until_seen(8);
    ck_assert_uint_eq(owner.seen_len, 8);
    ck_assert_uint_ge(owner.inputs, 4);
    finish();
}
END_TEST

START_TEST(who_yields_is_written_to_all_the_same)
{
    char got[9] = "";

    start();
    owner.unit = 2;
    owner.yields = owner.echoes = true;
    peer_sends("aabbccdd", 8);
    turn_until_seen(8);
    ck_assert_uint_eq(owner.inputs, 4);
    ck_assert_int_eq(recv(peer, got, sizeof(got), 0), 8);
    ck_assert_str_eq(got, "aabbccdd");
    finish();
}
END_TEST

START_TEST(who_ends_with_output_and_a_rest_of_input_ends_once)
{
    start();
    owner.unit = 2;
    owner.yields = owner.echoes = owner.closes = true;
    ck_assert_int_eq(send(peer, "aabbccdd", 8, 0), 8);
    loop_run(&loop);
    ck_assert(owner.is_closed);
    ck_assert_uint_eq(owner.inputs, 1);
    ck_assert(list_is_empty(&loop.flushes) && list_is_empty(&loop.yields));
    finish();
}
END_TEST

START_TEST(what_died_before_the_first_turn_is_ended_by_a_loop_that_is_stopped)
{
    start();
    conn_close(&owner.conn);
    loop_stop(&loop);
    loop_run(&loop);
    ck_assert(owner.is_closed);
    finish();
}
END_TEST

START_TEST(while_paused_nothing_is_shown_and_nothing_is_lost)
{
    start();
    conn_pause(&owner.conn);
    peer_sends("abc", 3);
    ck_assert_uint_eq(owner.seen_len, 0);
    conn_resume(&owner.conn);
    turn_for_us(1000);
    ck_assert_uint_eq(owner.seen_len, 3);
    finish();
}
END_TEST

START_TEST(output_beyond_what_the_socket_takes_follows_when_it_drains)
{
    static char big[1 << 20];
    size_t got = 0;
    char in[65536];

    start();
    ck_assert(chain_append(&owner.conn.out, (struct str){big, sizeof(big)}, NULL, NULL));
    conn_flush_later(&owner.conn);
    turn_for_us(1000);
    ck_assert_uint_gt(owner.conn.out.len, 0);
    while (got < sizeof(big)) {
        ssize_t len = recv(peer, in, sizeof(in), 0);

        if (len > 0)
            got += (size_t)len;
        turn_for_us(100);
    }
    ck_assert(owner.is_drained);
    ck_assert_uint_eq(owner.conn.loop->bytes_written, sizeof(big));
    finish();
}
END_TEST

START_TEST(closing_after_the_flush_delivers_everything_first)
{
    char in[16];

    start();
    ck_assert(chain_copy(&owner.conn.out, STR("goodbye")));
    conn_close_flushed(&owner.conn);
    loop_run(&loop);
    ck_assert(owner.is_closed);
    ck_assert_int_eq(recv(peer, in, sizeof(in), 0), 7);
    ck_assert_int_eq(recv(peer, in, sizeof(in), 0), 0);
    finish();
}
END_TEST

START_TEST(a_peer_that_leaves_ends_the_connection)
{
    start();
    close(peer);
    peer = -1;
    loop_run(&loop);
    ck_assert(owner.is_closed);
    ck_assert_int_eq(owner.conn.end, CONN_END_EOF);
    finish();
}
END_TEST

START_TEST(a_refused_connect_tells_why)
{
    struct addr addr;
    const char *error, *step;
    static const struct listen_options options = {.backlog = 1};
    int fd;

    /* A port that was free a moment ago, and is again. */
    ck_assert_uint_eq(addr_resolve("127.0.0.1", 0, &addr, 1, &error), 1);
    fd = listener_socket(&addr, &options, &step);
    ck_assert_int_ge(fd, 0);
    ck_assert(addr_of_socket(fd, &addr));
    close(fd);
    ck_assert(loop_open(&loop));
    memset(&owner, 0, sizeof(owner));
    conn_connect(&owner.conn, &loop, &addr, &ops);
    loop_run(&loop);
    ck_assert(owner.is_closed);
    ck_assert_int_eq(owner.conn.end, CONN_END_ERROR);
    ck_assert_int_eq(owner.conn.error, ECONNREFUSED);
    loop_close(&loop);
}
END_TEST

START_TEST(a_released_connection_leaves_its_socket_open_and_unread)
{
    char got[8];
    int fd;

    start();
    fd = conn_fd(&owner.conn);
    conn_release(&owner.conn);
    conn_fail(&owner.conn, EPIPE); /* too late */
    loop_run(&loop);
    ck_assert(owner.is_closed);
    ck_assert_int_eq(owner.conn.end, CONN_END_RELEASED);
    ck_assert_int_eq(send(peer, "more", 4, 0), 4);
    ck_assert_int_eq(recv(fd, got, sizeof(got), 0), 4);
    close(fd);
    finish();
}
END_TEST

UNIT_MAIN("net/conn", tcase_add_test(tests, what_is_not_used_is_shown_again_with_what_follows);
          tcase_add_test(tests, an_idle_connection_owns_no_buffer);
          tcase_add_test(tests, messages_arrive_whole_however_they_are_cut);
          tcase_add_test(tests, a_large_whole_that_is_wanted_is_shown_once_it_is_there);
          tcase_add_test(tests, bytes_are_received_straight_to_where_they_belong);
          tcase_add_test(tests, a_yield_goes_on_with_the_rest_by_itself);
          tcase_add_test(tests, who_yields_is_written_to_all_the_same);
          tcase_add_test(tests, who_ends_with_output_and_a_rest_of_input_ends_once);
          tcase_add_test(tests, what_died_before_the_first_turn_is_ended_by_a_loop_that_is_stopped);
          tcase_add_test(tests, while_paused_nothing_is_shown_and_nothing_is_lost);
          tcase_add_test(tests, output_beyond_what_the_socket_takes_follows_when_it_drains);
          tcase_add_test(tests, closing_after_the_flush_delivers_everything_first);
          tcase_add_test(tests, a_peer_that_leaves_ends_the_connection);
          tcase_add_test(tests, a_refused_connect_tells_why);
          tcase_add_test(tests, a_released_connection_leaves_its_socket_open_and_unread);)
