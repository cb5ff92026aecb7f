"""Redis pools: three redis-servers behind a proxy, every way in which a command is served."""
import os
import random
import tempfile
import unittest

from cut import Knife, Relay, send_read
from peer import Case
from procs import Proxy, Redis, pool
from resp import Error, Wire, read_raw, request

INTERNAL = {b'PFDEBUG', b'PFSELFTEST', b'RESTORE-ASKING'}  # for Redis itself
LONGER_SINCE = {b'ZRANK': -3, b'ZREVRANK': -3}  # may have a word more since Redis 7.2
BLOCK = 65536  # what is read at once


class Behind(Case):
    """Three servers behind a proxy, a wire to it, and one to each of them."""

    lines = ()
    arguments = ()

    def setUp(self):
        super().setUp()
        self.servers = [self.start(Redis(*self.arguments)) for _ in range(3)]
        self.proxy = self.start(Proxy(pool(self.servers, 'redis: true', *self.lines)))
        self.wire = self.start(Wire(self.proxy))
        self.direct = [self.start(Wire(server)) for server in self.servers]

    def homes(self, keys):
        """Which server has each key; all are there."""
        where = {}
        for number, direct in enumerate(self.direct):
            where.update({key: number for key in keys if direct.ask('EXISTS', key)})
        self.assertEqual(set(where), set(keys))
        return where

    def spread(self, count=60):
        """Keys that are stored, and which server has each."""
        keys = ['key%d' % i for i in range(count)]
        for key in keys:
            self.assertEqual(self.wire.ask('SET', key, 'of ' + key), 'OK')
        return self.homes(keys)

    def apart(self):
        """Two keys of different servers, and a second one of the first one's server."""
        where = self.spread()
        first = 'key0'
        other = next(key for key in where if where[key] != where[first])
        same = next(key for key in where if key != first and where[key] == where[first])
        return first, other, same

    def assert_alive(self, wire=None):
        self.assertEqual((wire or self.wire).ask('PING'), 'PONG')


class OneServer(Behind):
    lines = ('hash_tag: "{}"',)

    def test_keys_are_spread_and_found_again(self):
        where = self.spread()
        self.assertEqual(set(where.values()), {0, 1, 2})
        for key in where:
            self.assertEqual(self.wire.ask('GET', key), b'of ' + key.encode())

    def test_every_type_works(self):
        ask = self.wire.ask
        self.assertEqual(ask('RPUSH', 'list', 'a', 'b', 'c'), 3)
        self.assertEqual(ask('LRANGE', 'list', 0, -1), [b'a', b'b', b'c'])
        self.assertEqual(ask('HSET', 'hash', 'f', 'v', 'g', 'w'), 2)
        self.assertEqual(ask('HMGET', 'hash', 'f', 'none', 'g'), [b'v', None, b'w'])
        self.assertEqual(ask('SADD', 'set', 'x', 'y', 'x'), 2)
        self.assertEqual(ask('ZADD', 'zset', 1, 'one', 2, 'two'), 2)
        self.assertEqual(ask('ZRANGE', 'zset', 0, -1, 'WITHSCORES'), [b'one', b'1', b'two', b'2'])
        self.assertEqual(ask('incrbyfloat', 'float', '1.5'), b'1.5')
        self.assertEqual(ask('XADD', 'stream', '1-1', 'f', 'v'), b'1-1')
        self.assertEqual(ask('XRANGE', 'stream', '-', '+'), [[b'1-1', [b'f', b'v']]])
        self.assertEqual(ask('EXPIRE', 'list', 100, 'NX'), 1)
        self.assertEqual(ask('OBJECT', 'ENCODING', 'float'), b'embstr')
        self.assertIn('OBJECT <subcommand>', ask('OBJECT', 'HELP')[0])
        self.assertEqual(ask('XGROUP', 'CREATE', 'stream', 'group', '0'), 'OK')
        self.assertEqual(ask('SSCAN', 'set', 0)[0], b'0')
        self.assertEqual(ask('GEOADD', 'geo', '13.3', '38.1', 'Palermo'), 1)

    def test_a_servers_own_error_passes(self):
        self.wire.ask('SET', 'text', 'x')
        self.assertEqual(self.wire.ask_raw('LPUSH', 'text', 'y'),
                         b'-WRONGTYPE Operation against a key holding the wrong kind of value\r\n')
        self.assertEqual(self.wire.ask_raw('INCR', 'text'),
                         b'-ERR value is not an integer or out of range\r\n')
        self.assertTrue(self.wire.ask('EVALSHA', 'f' * 40, 1, 'k').startswith('NOSCRIPT'))

    def test_keys_of_one_server_do_for_commands_of_several(self):
        """A hash tag keeps them together."""
        ask = self.wire.ask
        ask('SADD', '{t}a', 1, 2, 3)
        ask('SADD', '{t}b', 2, 3, 4)
        ask('ZADD', '{t}y', 1, 'm')
        ask('ZADD', '{t}z', 2, 'm', 3, 'n')
        ask('SET', '{t}s', 'value')
        ask('RPUSH', '{t}l', 3, 1, 2)
        for words, reply in (
                (('SUNION', '{t}a', '{t}b'), [b'1', b'2', b'3', b'4']),
                (('SINTERSTORE', '{t}c', '{t}a', '{t}b'), 2),
                (('SINTERCARD', 2, '{t}a', '{t}b', 'LIMIT', 1), 1),
                (('SMOVE', '{t}a', '{t}b', 1), 1),
                (('ZUNION', 2, '{t}y', '{t}z', 'WITHSCORES'), [b'm', b'3', b'n', b'3']),
                (('ZUNIONSTORE', '{t}u', 2, '{t}y', '{t}z'), 2),
                (('ZRANGESTORE', '{t}r', '{t}z', 0, 0), 1),
                (('ZMPOP', 2, '{t}none', '{t}z', 'MIN'), [b'{t}z', [[b'm', b'2']]]),
                (('COPY', '{t}s', '{t}copy'), 1),
                (('RENAME', '{t}copy', '{t}named'), 'OK'),
                (('BITOP', 'NOT', '{t}bits', '{t}s'), 5),
                (('PFADD', '{t}p', 'x'), 1), (('PFADD', '{t}q', 'y'), 1),
                (('PFCOUNT', '{t}p', '{t}q'), 2), (('PFMERGE', '{t}m', '{t}p', '{t}q'), 'OK'),
                (('RPOPLPUSH', '{t}l', '{t}o'), b'2'),
                (('LMOVE', '{t}l', '{t}o', 'LEFT', 'RIGHT'), b'3'),
                (('LMPOP', 1, '{t}o', 'LEFT', 'COUNT', 9), [b'{t}o', [b'2', b'3']]),
                (('SORT', '{t}l', 'STORE', '{t}sorted'), 1),
                (('LCS', '{t}s', '{t}named'), b'value'),
                (('MSETNX', '{t}1', 'x', '{t}2', 'y'), 1),
                (('EVAL', 'return {KEYS[2], ARGV[1]}', 2, '{t}1', '{t}2', 'arg'),
                 [b'{t}2', b'arg'])):
            got = ask(*words)
            self.assertEqual(sorted(got) if words[0] == 'SUNION' else got, reply, words)

    def test_keys_of_several_servers_are_refused_by_name_of_the_reason(self):
        first, other, same = self.apart()
        for words in (
                ('SUNION', first, other), ('SDIFFSTORE', first, same, other),
                ('RENAME', first, other), ('COPY', first, other), ('SMOVE', first, other, 'm'),
                ('RPOPLPUSH', first, other), ('LMOVE', first, other, 'LEFT', 'LEFT'),
                ('BITOP', 'AND', first, same, other), ('MSETNX', first, 'v', other, 'v'),
                ('PFCOUNT', first, other), ('PFMERGE', first, same, other),
                ('ZUNION', 2, first, other), ('ZUNIONSTORE', other, 1, first),
                ('ZINTERSTORE', first, 2, same, other), ('ZRANGESTORE', first, other, 0, 1),
                ('SINTERCARD', 2, first, other), ('ZMPOP', 2, first, other, 'MIN'),
                ('LMPOP', 2, first, other, 'LEFT'), ('SORT', first, 'STORE', other),
                ('SORT', first, 'DESC', 'store', other), ('LCS', first, other),
                ('GEORADIUS', first, 1, 1, 1, 'km', 'STOREDIST', other),
                ('GEORADIUSBYMEMBER', first, 'STORE', 1, 'km', 'STORE', other),
                ('GEOSEARCHSTORE', other, first, 'FROMMEMBER', 'm', 'BYRADIUS', 1, 'km'),
                ('EVAL', 'return 1', 2, first, other), ('EVALSHA', 'f' * 40, 3, first, same, other),
                ('EVAL_RO', 'return 1', 2, first, other), ('FCALL', 'f', 2, first, other)):
            reply = self.wire.ask(*words)
            self.assertIsInstance(reply, Error, words)
            self.assertTrue(reply.startswith('CROSSSLOT '), (words, reply))
        self.assertEqual(self.wire.ask('GET', first), b'of ' + first.encode())

    def test_a_member_that_is_called_like_an_option_is_no_key(self):
        self.wire.ask('GEOADD', 'geo', '13.3', '38.1', 'STORE')
        for radius in range(1, 20):
            self.assertEqual(self.wire.ask('GEORADIUSBYMEMBER', 'geo', 'STORE', radius, 'km'),
                             [b'STORE'])

    def test_the_number_of_keys_is_checked(self):
        for words in (('EVAL', 'return 1', 'abc', 'k'), ('EVAL', 'return 1', 0),
                      ('EVAL', 'return 1', 2, 'k'), ('EVAL', 'return 1', -1, 'k'),
                      ('EVAL', 'return 1', '99999999999999999999', 'k'),
                      ('ZUNION', 0, 'k'), ('ZUNION', 5, 'k'), ('SINTERCARD', 'x', 'k'),
                      ('ZINTERSTORE', 'd', 4294967295, 'k'), ('LMPOP', 7, 'k', 'LEFT')):
            reply = self.wire.ask(*words)
            self.assertIsInstance(reply, Error, words)
            self.assertTrue(reply.startswith('ERR '), reply)
        self.assert_alive()

    def test_a_key_behind_a_large_argument_is_found(self):
        script = 'return KEYS[1] .. #ARGV[1] --' + 'x' * 1500000
        for i in range(10):
            self.assertEqual(self.wire.ask('EVAL', script, 1, 'key%d' % i, 'y' * 100),
                             b'key%d100' % i)
        self.assertEqual(self.wire.ask('MSET', 'a', 'x' * 300000, 'b', 'y' * 300000, 'c', 'z'),
                         'OK')
        self.assertEqual(self.wire.ask('MGET', 'c', 'b', 'a'),
                         [b'z', b'y' * 300000, b'x' * 300000])

    def test_hash_tags_choose_the_server(self):
        for i in range(40):
            self.wire.ask('SET', 'a%d{tag}' % i, 'x')
        self.assertEqual(len(set(self.homes(['a%d{tag}' % i for i in range(40)]).values())), 1)
        for i in range(40):
            self.wire.ask('SET', 'a%d{}' % i, 'x')
        self.assertEqual(len(set(self.homes(['a%d{}' % i for i in range(40)]).values())), 3)

    def test_keys_are_any_bytes(self):
        for key in (b'', b' ', b'\r\n', b'\0', bytes(range(256)), b'k' * 16336, b'k' * 200000):
            self.assertEqual(self.wire.ask('SET', key, key), 'OK')
            self.assertEqual(self.wire.ask('GET', key), key)
            self.assertEqual(self.wire.ask('DEL', key), 1)


class Split(Behind):
    def test_values_come_in_the_order_of_the_keys(self):
        keys = list(self.spread())
        chance = random.Random(7)
        asked = [chance.choice(keys + ['none1', 'none2']) for _ in range(500)]
        self.assertEqual(self.wire.ask('MGET', *asked),
                         [None if key.startswith('none') else b'of ' + key.encode()
                          for key in asked])
        self.assertEqual(self.wire.ask('mget', 'key1'), [b'of key1'])

    def test_a_key_of_another_type_is_no_value(self):
        keys = list(self.spread(20))
        self.wire.ask('DEL', keys[3])
        self.wire.ask('LPUSH', keys[3], 'x')
        reply = self.wire.ask('MGET', *keys)
        self.assertIsNone(reply[3])
        self.assertEqual(reply.count(None), 1)

    def test_all_pairs_are_stored_and_the_last_of_a_key_wins(self):
        words = [word for i in range(300) for word in ('k%d' % (i % 100), 'v%d' % i)]
        self.assertEqual(self.wire.ask_raw('MSET', *words), b'+OK\r\n')
        self.assertEqual(self.wire.ask('MGET', *['k%d' % i for i in range(100)]),
                         [b'v%d' % (i + 200) for i in range(100)])
        self.assertEqual(set(self.homes(['k%d' % i for i in range(100)]).values()), {0, 1, 2})

    def test_sums_are_those_of_one_server(self):
        """What redis-server alone answers, duplicates and all."""
        alone = self.start(Wire(self.start(Redis())))
        keys = ['key%d' % i for i in range(30)]
        chance = random.Random(11)
        for name in ('EXISTS', 'TOUCH', 'DEL', 'UNLINK', 'exists', 'unlink'):
            for count in (1, 2, 5, 40):
                for wire in (alone, self.wire):
                    wire.ask('MSET', *[word for key in keys for word in (key, 'x')])
                asked = [chance.choice(keys + ['none']) for _ in range(count)]
                self.assertEqual(self.wire.ask_raw(name, *asked), alone.ask_raw(name, *asked))
                self.assertEqual(self.wire.ask('EXISTS', *keys), alone.ask('EXISTS', *keys))

    def test_an_odd_number_of_words_stores_nothing(self):
        self.assertEqual(self.wire.ask_raw('MSET', 'a', '1', 'b'),
                         b"-ERR wrong number of arguments for 'mset' command\r\n")
        self.assertEqual(self.wire.ask('EXISTS', 'a', 'b'), 0)

    def test_thousands_of_keys_at_once(self):
        keys = ['many%d' % i for i in range(20000)]
        self.assertEqual(self.wire.ask('MSET', *[word for key in keys for word in (key, key)]),
                         'OK')
        self.assertEqual(self.wire.ask('MGET', *keys), [key.encode() for key in keys])
        self.assertEqual(self.wire.ask('EXISTS', *keys), 20000)
        self.assertEqual(self.wire.ask('UNLINK', *keys), 20000)

    def test_requests_in_flight_are_answered_in_their_order(self):
        keys = list(self.spread())
        chance = random.Random(3)
        data, expected = [], []
        for i in range(3000):
            key = chance.choice(keys)
            words, reply = chance.choice((
                (('GET', key), b'of ' + key.encode()), (('PING', str(i)), str(i).encode()),
                (('MGET', key, 'none', keys[0]), [b'of ' + key.encode(), None, b'of ' + keys[0].encode()]),
                (('ECHO', str(i)), str(i).encode()), (('EXISTS', key, key, 'none'), 2),
                (('NONSENSE',), Error("ERR unknown command 'NONSENSE'")), (('STRLEN', 'no'), 0)))
            data.append(request(*words))
            expected.append(reply)
        self.wire.socket.sendall(b''.join(data))
        self.assertEqual([self.wire.read() for _ in expected], expected)


class Sizes(Behind):
    def test_values_of_all_sizes_around_those_of_buffers(self):
        sizes = {0, 1, 2}
        for edge in (512, 2048, 16384, 32768, BLOCK, 2 * BLOCK, 4 * BLOCK):
            sizes.update(edge + i for i in range(-40, 41, 3))
        for size in sorted(sizes):
            value = os.urandom(size)
            self.assertEqual(self.wire.ask('SET', 'v%d' % size, value), 'OK')
            self.assertEqual(self.wire.ask('GET', 'v%d' % size), value, size)
            self.assertEqual(self.wire.ask('MGET', 'v%d' % size, 'none', 'v0'),
                             [value, None, b''], size)

    def test_values_of_megabytes(self):
        for size in (1 << 20, (5 << 20) + 1, 30 << 20):
            value = os.urandom(1 << 16) * (size >> 16) + b'end'
            self.assertEqual(self.wire.ask('MSET', 'large', value, 'small', 'x', 'other', 'y'),
                             'OK')
            self.assertEqual(self.wire.ask('MGET', 'small', 'large', 'other'), [b'x', value, b'y'])

    def test_a_list_of_many_elements(self):
        for start in range(0, 200000, 5000):
            self.wire.ask('RPUSH', 'list', *range(start, start + 5000))
        self.assertEqual(self.wire.ask('LRANGE', 'list', 0, -1),
                         [b'%d' % i for i in range(200000)])


class Here(Behind):
    def test_what_concerns_the_connection_is_answered_by_the_proxy(self):
        for words, reply in (
                (('PING',), b'+PONG\r\n'), (('ping', 'hello'), b'$5\r\nhello\r\n'),
                (('PING', ''), b'$0\r\n\r\n'), (('ECHO', 'x\r\ny'), b'$4\r\nx\r\ny\r\n'),
                (('PING', 'a', 'b'), b"-ERR wrong number of arguments for 'ping' command\r\n"),
                (('SELECT', 0), b'+OK\r\n'), (('SELECT', 'x'), b'-ERR invalid DB index\r\n'),
                (('AUTH', 'pw'), b'-ERR Client sent AUTH, but no password is set\r\n'),
                (('HELLO', 3), b'-NOPROTO unsupported protocol version\r\n'),
                (('CLIENT', 'SETNAME', 'me'), b'+OK\r\n'),
                (('CLIENT', 'SETINFO', 'LIB-NAME', 'x'), b'+OK\r\n'),
                (('RESET',), b'+RESET\r\n'), (('READONLY',), b'+OK\r\n')):
            self.assertEqual(self.wire.ask_raw(*words), reply, words)
        self.assertTrue(self.wire.ask('SELECT', 1).startswith('ERR DB index is out of range'))
        self.assertIsInstance(self.wire.ask('CLIENT', 'KILL', 'x'), Error)
        self.assertIsInstance(self.wire.ask('CLIENT', 'ID'), int)
        self.assertIn(b'redis_version:7.', self.wire.ask('INFO'))
        self.assertIn(b'role:master', self.wire.ask('INFO', 'replication'))
        for words in (('HELLO',), ('HELLO', 2), ('HELLO', '2', 'SETNAME', 'me')):
            hello = self.wire.ask(*words)
            fields = dict(zip(hello[::2], hello[1::2]))
            self.assertEqual((fields[b'server'], fields[b'proto']), (b'redis', 2))
        self.assertIsInstance(self.wire.ask('HELLO', 2, 'NONSENSE'), Error)
        self.assertIsInstance(self.wire.ask('HELLO', 2, 'AUTH', 'default'), Error)
        self.assert_alive()

    def test_a_large_word_is_said_again_in_its_turn(self):
        for size in (2047, 2048, 2049, 300000):
            word = os.urandom(size)
            self.wire.socket.sendall((request('GET', 'k') + request('ECHO', word)) * 3)
            self.assertEqual([self.wire.read() for _ in range(6)], [None, word] * 3)

    def test_quit_comes_after_all_that_was_asked(self):
        self.wire.ask('SET', 'k', 'v')
        self.wire.socket.sendall(request('GET', 'k') + request('QUIT') + request('SET', 'k', 'w'))
        self.assertEqual(self.wire.read(), b'v')
        self.assertEqual(self.wire.read(), 'OK')
        self.assertTrue(self.wire.is_closed())
        with Wire(self.proxy) as again:
            self.assertEqual(again.ask('GET', 'k'), b'v')

    def test_who_says_no_more_still_gets_his_replies(self):
        self.wire.ask('SET', 'k', 'v')
        self.wire.socket.sendall(request('GET', 'k') * 100)
        self.wire.socket.shutdown(1)
        self.assertEqual([self.wire.read() for _ in range(100)], [b'v'] * 100)
        self.assertTrue(self.wire.is_closed())

    def test_our_table_of_commands_is_redis_own(self):
        """Every command of redis-server is served with its arity and keys, or refused with the
        reason; none is unknown."""
        ours = {row[0]: row for row in self.wire.ask('COMMAND')}
        self.assertEqual(self.wire.ask('COMMAND', 'COUNT'), len(ours))
        theirs = {row[0].upper(): row for row in self.direct[0].ask('COMMAND')
                  if row[0].upper() not in INTERNAL}
        for name, row in theirs.items():
            if name not in ours:
                self.assertRegex(self.wire.ask(name, 'a', 'b', 'c'),
                                 "^ERR '%s' is not possible through a proxy: ." % name.decode())
                continue
            self.assertEqual(ours[name][1], LONGER_SINCE.get(name, row[1]), 'arity of %r' % name)
            if not row[9]:  # those of subcommands stand with these
                self.assertEqual(ours[name][3:6], row[3:6], 'keys of %r' % name)
            self.assertLessEqual('movablekeys' in ours[name][2], 'movablekeys' in row[2], name)
        self.assertEqual(set(ours) - set(theirs), set())

    def test_rows_of_the_table_are_told_by_name(self):
        rows = {row[0]: row for row in self.wire.ask('COMMAND')}
        self.assertEqual(self.wire.ask('COMMAND', 'INFO', 'get', 'KEYS', 'nonsense', 'Zunion'),
                         [rows[b'GET'], None, None, rows[b'ZUNION']])
        self.assertEqual(self.wire.ask('COMMAND', 'INFO'), [])
        self.assertIsInstance(self.wire.ask('COMMAND', 'INFO', *['get'] * 10000), Error)
        self.assertEqual(self.wire.ask('COMMAND', 'DOCS', 'get'), [])
        self.assertIsInstance(self.wire.ask('COMMAND', 'GETKEYS', 'GET', 'k'), Error)

    def test_wrong_numbers_of_words_are_refused_as_redis_does(self):
        for row in self.direct[0].ask('COMMAND'):
            name, arity = row[0].decode(), row[1]
            if name == 'quit' or name.upper().encode() in INTERNAL or \
                    b'is not possible through a proxy' in self.wire.ask_raw(name):
                continue
            for count in {1, abs(arity) - 1, abs(arity) + 1} - {0}:
                if count >= -arity > 0 or count == arity:
                    continue
                words = [name] + ['1'] * (count - 1)
                self.assertEqual(self.wire.ask_raw(*words), self.direct[0].ask_raw(*words), words)
        self.assert_alive()


class Inline(Behind):
    def test_a_line_of_words_is_a_request(self):
        for line, reply in (
                (b'PING\r\n', b'+PONG\r\n'), (b'PING\n', b'+PONG\r\n'),
                (b'  set   k "a b"  \r\n', b'+OK\r\n'), (b'GET k\r\n', b'$3\r\na b\r\n'),
                (b'SET k "\\x41\\n\\"" \r\n', b'+OK\r\n'), (b'GET k\r\n', b'$3\r\nA\n"\r\n'),
                (b"SET k 'it\\'s'\r\n", b'+OK\r\n'), (b'GET k\r\n', b"$4\r\nit's\r\n"),
                (b'SET k ""\r\n', b'+OK\r\n'), (b'GET k\r\n', b'$0\r\n\r\n'),
                (b'MSET a 1 b 2 c 3 d 4\r\n', b'+OK\r\n'),
                (b'MGET d c b a\r\n', b'*4\r\n$1\r\n4\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n'),
                (b'nonsense\r\n', b"-ERR unknown command 'nonsense'\r\n")):
            self.assertEqual(self.wire.say(line), reply, line)

    def test_a_browser_is_sent_away_before_it_does_any_harm(self):
        for first in (b'POST / HTTP/1.1\r\n', b'GET /x HTTP/1.1\r\n', b'post /\r\n',
                      b'Host: localhost\r\n'):
            with Wire(self.proxy) as wire:
                wire.socket.sendall(first + b'Host: x\r\n\r\nSET harm done\r\n')
                self.assertTrue(wire.is_closed(), first)
        self.assertEqual(self.wire.ask('EXISTS', 'harm'), 0)

    def test_an_empty_line_and_an_empty_array_are_passed_over(self):
        self.wire.socket.sendall(b'\r\n\n*0\r\n*-1\r\n  \r\n')
        self.assertEqual(self.wire.say(b'*0\r\nPING\r\n*0\r\n'), b'+PONG\r\n')
        self.assert_alive()

    def test_unknown_and_refused_commands_leave_the_connection_as_it_is(self):
        for words in (('NONSENSE',), ('nonsense', 'a', 'b'), ('',), ('x' * 5000,), ('MULTI',),
                      ('EXEC',), ('SUBSCRIBE', 'c'), ('BLPOP', 'k', 0), ('KEYS', '*'), ('SCAN', 0),
                      ('FLUSHALL',), ('CONFIG', 'GET', '*'), ('SHUTDOWN',), ('DEBUG', 'SLEEP', 9),
                      ('MONITOR',), ('WAIT', 0, 0), ('SCRIPT', 'LOAD', 'x'), ('GET',),
                      ('GET', 'a', 'b'), ('SET', 'k'), ('MSET', 'a'), ('DEL',), ('MGET',)):
            reply = self.wire.ask(*words)
            self.assertIsInstance(reply, Error, words)
            self.assertTrue(reply.startswith('ERR '), reply)
            self.assert_alive()

    def test_a_name_of_any_bytes_is_answered_by_one_line(self):
        """It cannot end the line that quotes it, and go on as a reply of its own."""
        for name in (b'a\r\n+OK', b'a\nb', b'\0\0', b'\xff\xfe', b"'", b'\r\n:1\r\n'):
            self.wire.send(name)
            self.wire.send('ECHO', 'next')
            self.assertIsInstance(self.wire.read(), Error, name) \
                if max(name) < 128 else self.assertEqual(self.wire.file.readline()[:1], b'-')
            self.assertEqual(self.wire.read(), b'next', name)


class Pieces(Case):
    """Requests and replies cut at every position, and a byte at a time."""

    CONVERSATION = (
        ('SET', 'a', 'x' * 30), ('GET', 'a'), ('MSET', 'a', '1', 'b', '22', 'c', '333'),
        ('MGET', 'c', 'none', 'a', 'a', 'b'), ('EXISTS', 'a', 'b', 'none'), ('LPUSH', 'a', 'x'),
        ('RPUSH', 'l', 'p', 'q'), ('LRANGE', 'l', '0', '-1'), ('NONSENSE', 'x'), ('PING',),
        ('EVAL', 'return {1, {2, {KEYS[1], false}}, "x"}', '1', 'k'), ('DEL', 'a', 'b', 'c', 'l'))

    def setUp(self):
        super().setUp()
        directory = self.start(tempfile.TemporaryDirectory())
        paths = [os.path.join(directory, name) for name in ('a', 'b')]
        self.relays = [Relay(path + '.relay', path) for path in paths]
        for relay, path in zip(self.relays, paths):
            self.stack.callback(relay.listener.close)
            self.start(Redis(unix_path=path))
        front = os.path.join(directory, 'front')
        self.proxy = self.start(Proxy(
            'pool:\n  listen: %s\n  redis: true\n  servers:\n    - %s.relay:1 a\n'
            '    - %s.relay:1 b\n' % (front, *paths), unix_path=front))
        self.data = b''.join(request(*words) for words in self.CONVERSATION) + b'GET "a"\r\n'
        self.expected = self.talk(None)

    def talk(self, knife):
        with Wire(self.proxy) as wire:
            for piece in knife.pieces(self.data) if knife else [self.data]:
                send_read(wire.socket, piece)
            return [read_raw(wire.file) for _ in range(len(self.CONVERSATION) + 1)]

    def test_what_is_expected_is_right(self):
        self.assertEqual(self.expected[3], b'*5\r\n$3\r\n333\r\n$-1\r\n$1\r\n1\r\n$1\r\n1\r\n'
                                           b'$2\r\n22\r\n')
        self.assertEqual(self.expected[10], b'*3\r\n:1\r\n*2\r\n:2\r\n*2\r\n$1\r\nk\r\n$-1\r\n'
                                            b'$1\r\nx\r\n')
        self.assertEqual(self.expected[-2:], [b':4\r\n', b'$-1\r\n'])

    def test_requests_in_two_pieces(self):
        for place in range(1, len(self.data)):
            self.assertEqual(self.talk(Knife(place)), self.expected, place)

    def test_requests_and_replies_a_byte_at_a_time(self):
        self.assertEqual(self.talk(Knife()), self.expected)
        for relay in self.relays:
            relay.knife = Knife()
        self.assertEqual(self.talk(None), self.expected)
        self.assertEqual(self.talk(Knife()), self.expected)

    def test_replies_in_two_pieces(self):
        for place in range(1, sum(map(len, self.expected)) + 1):
            for relay in self.relays:
                relay.knife = Knife(place)
            self.assertEqual(self.talk(None), self.expected, place)


if __name__ == '__main__':
    unittest.main()
