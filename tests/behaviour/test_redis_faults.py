"""Hostile clients and servers of a Redis pool. After each of them the proxy serves others at
once, and has grown by nothing to speak of."""
import os
import random
import socket
import time
import unittest

import peer
from fakes import TalkingNode
from procs import Proxy, Redis, pool
from resp import Error, Wire, read_raw, request

SEED = int(os.environ.get('SEED', random.SystemRandom().randrange(1 << 32)))
GROWTH_MAX_KB = 4096
SANITIZED = os.environ.get('BUILD', 'asan').endswith('san')  # keeps what is freed for a while


class Case(peer.Case):
    lines = ()

    def before(self, server, *lines):
        self.proxy = self.start(Proxy(pool([server], 'redis: true', *lines)))
        return self.proxy

    def assert_alive(self, *login):
        with Wire(self.proxy) as wire:
            if login:
                wire.ask('AUTH', *login)
            started = time.monotonic()
            self.assertEqual(wire.ask('PING'), 'PONG')
            self.assertLess(time.monotonic() - started, 1 if SANITIZED else 0.1)

    def rss_kb(self):
        with open('/proc/%d/status' % self.proxy.process.pid) as status:
            return int([line for line in status if line.startswith('VmRSS')][0].split()[1])

    def assert_refused(self, data, error):
        """The data is answered `error`, and the connection closed."""
        with Wire(self.proxy) as wire:
            wire.socket.sendall(data)
            self.assertEqual(read_raw(wire.file), error, data[:80])
            self.assertTrue(wire.is_closed(), data[:80])


class Clients(Case):
    def setUp(self):
        super().setUp()
        self.server = self.start(Redis())
        self.before(self.server)

    def commands_run(self):
        """How many commands the server has run, that question not counted."""
        with Wire(self.server) as direct:
            stats = direct.ask('INFO', 'commandstats')
            return sum(int(line.split(b'calls=')[1].split(b',')[0])
                       for line in stats.split(b'\r\n')
                       if b'calls=' in line and not line.startswith(b'cmdstat_info'))

    def test_p05_p29_lengths_that_no_request_has(self):
        before = self.rss_kb()
        for count in (b'4294967298', b'-5', b'-2', b'01', b' 2', b'2147483648', b'', b'1x', b'+1',
                      b'9' * 25, b'1048577', b'-', b'0x1', b'1 '):
            self.assert_refused(b'*%s\r\n$4\r\nPING\r\n' % count,
                                b'-ERR Protocol error: invalid multibulk length\r\n')
        for length in (b'4294967299', b'-1', b'-5', b'01', b' 1', b'', b'536870913', b'2147483647',
                       b'9' * 25, b'1x'):
            self.assert_refused(b'*2\r\n$3\r\nGET\r\n$%s\r\nk\r\n' % length,
                                b'-ERR Protocol error: invalid bulk length\r\n')
        for data in (b'*1\r\n:1\r\n', b'*1\r\nPING\r\n', b'*1\r\n*1\r\n'):
            self.assert_refused(data, b"-ERR Protocol error: expected '$'\r\n")
        for data in (b'*1\r\n$4\r\nPINGS\r\n', b'*1\r\n$4\r\nPING\n\n'):
            with Wire(self.proxy) as wire:
                wire.socket.sendall(data)
                self.assertTrue(read_raw(wire.file).startswith(b'-ERR Protocol error: '))
                self.assertTrue(wire.is_closed())
        self.assertLess(self.rss_kb() - before, GROWTH_MAX_KB)
        self.assertEqual(self.commands_run(), 0)
        self.assert_alive()

    def test_p29_a_length_alone_takes_no_memory(self):
        """536 870 912 bytes are allowed; who only announces them gets no room for them."""
        before = self.rss_kb()
        wires = [self.start(Wire(self.proxy)) for _ in range(20)]
        for wire in wires:
            wire.socket.sendall(b'*2\r\n$3\r\nGET\r\n$536870912\r\nx')
        self.assert_alive()
        self.assertLess(self.rss_kb() - before, GROWTH_MAX_KB)

    def test_p18_wrong_numbers_of_words_a_hundred_thousand_times(self):
        with Wire(self.proxy) as wire:
            for round_number in range(11):
                for words in (('MSET', 'a'), ('MSET', 'a', 'a', 'a'), ('DEL',), ('MGET',)):
                    wire.socket.sendall(request(*words) * 2500)
                    line = b"-ERR wrong number of arguments for '%s' command\r\n" % \
                        words[0].lower().encode()
                    self.assertEqual(wire.file.read(len(line) * 2500), line * 2500)
                if round_number == 0:
                    before = self.rss_kb()
        self.assertLess(self.rss_kb() - before, GROWTH_MAX_KB)
        self.assertEqual(self.commands_run(), 0)
        self.assert_alive()

    def test_p24_lines_of_strange_words(self):
        with Wire(self.proxy) as wire:
            self.assertEqual(wire.say(b'PING "ax\xff"\r\n'), b'$3\r\nax\xff\r\n')
            self.assertEqual(wire.say(b'PING "\\xff"\r\n'), b'$1\r\n\xff\r\n')
            self.assertEqual(wire.say(b'GET "x\\x4"\r\n'), b'$-1\r\n')
            self.assertEqual(wire.say(b'GET "\\"\\x"\r\n'), b'$-1\r\n')
        for line in (b'GET "a\r\n', b"GET 'a\r\n", b'GET "a"b\r\n', b'"\r\n', b'GET "\\"\r\n',
                     b"'\r\n", b'GET a"b"c\r\n'):
            self.assert_refused(line, b'-ERR Protocol error: unbalanced quotes in request\r\n')
        self.assert_refused(b'G' * 70000, b'-ERR Protocol error: too big inline request\r\n')
        self.assert_refused(b'GET ' + b'"' * 70000,
                            b'-ERR Protocol error: too big inline request\r\n')
        self.assert_alive()

    def test_p25_what_tools_and_drivers_say_first(self):
        with Wire(self.proxy) as wire:
            for words in (('MULTI',), ('EXEC',), ('DISCARD',), ('WATCH', 'k')):
                self.assertIsInstance(wire.ask(*words), Error, words)
            self.assertIsNone(wire.ask('GET', 1))
            for words in (('HELLO', 2), ('HELLO',), ('COMMAND',), ('COMMAND', 'DOCS'),
                          ('COMMAND', 'INFO', 'get'), ('CLIENT', 'SETINFO', 'LIB-NAME', 'x'),
                          ('CLIENT', 'SETINFO', 'LIB-VER', '1'), ('CLIENT', 'SETNAME', 'x'),
                          ('INFO',), ('SELECT', 0)):
                self.assertNotIsInstance(wire.ask(*words), Error, words)
            for words in (('COMMAND', 'NONSENSE', 'x'), ('CLIENT',), ('CLIENT', 'NONSENSE'),
                          ('HELLO', 'x'), ('HELLO', 9), ('SELECT', 99999999999)):
                wire.ask(*words)
            self.assertEqual(wire.ask('PING'), 'PONG')
        self.assert_alive()


class Strangers(Case):
    """Who has not told the password."""

    def setUp(self):
        super().setUp()
        self.before(self.start(Redis('--requirepass', 'secret')), 'redis_auth: secret')

    def test_p26_may_say_little(self):
        before = self.rss_kb()
        self.assert_refused(b'*11\r\n' + b'$1\r\nx\r\n' * 11,
                            b'-ERR Protocol error: unauthenticated multibulk length\r\n')
        self.assert_refused(b'*2\r\n$4\r\nAUTH\r\n$16385\r\n',
                            b'-ERR Protocol error: unauthenticated bulk length\r\n')
        with Wire(self.proxy) as wire:
            self.assertEqual(wire.ask('AUTH', 'x' * 16384), 'ERR invalid password')
            self.assertEqual(wire.ask('AUTH', 'secret'), 'OK')
            self.assertEqual(wire.ask('MSET', *['x' * 20000] * 20), 'OK')
        self.assertLess(self.rss_kb() - before, GROWTH_MAX_KB)
        self.assert_alive('secret')

    def test_p27_are_closed_when_they_do_not_read(self):
        before = self.rss_kb()
        with Wire(self.proxy) as wire:
            data = request('GET', 'k') * 1000
            with self.assertRaises((BrokenPipeError, ConnectionResetError)):
                for _ in range(1000):
                    wire.socket.sendall(data)
            self.assertLess(self.rss_kb() - before, GROWTH_MAX_KB)
        self.assert_alive('secret')


NESTED = 100000


class Servers(Case):
    """They are left, and their clients told; the client's connection lives."""

    def serve(self, reply, *lines):
        """A proxy before a server that says `reply` to whatever it is asked, and counts."""
        self.connections = 0

        def talk(connection):
            is_counted = False
            while asked := connection.recv(65536):
                if not is_counted and b'GET' in asked:  # no probe
                    self.connections += 1
                    is_counted = True
                connection.sendall(reply)
        self.before(self.start(TalkingNode(talk)), *lines)

    def assert_left(self, reply, *lines):
        self.serve(reply, *lines)
        with Wire(self.proxy) as wire:
            for number in range(1, 4):
                self.assertEqual(wire.ask_raw('GET', 'k'), b'-ERR Invalid argument\r\n',
                                 reply[:60])
                self.assertEqual(self.connections, number)
            self.assertEqual(wire.ask('PING'), 'PONG')
        self.assert_alive()
        self.stack.pop_all().close()

    def test_p08_replies_that_are_none_of_resp2(self):
        for reply in (b'$-2\r\n', b'*-2\r\n', b'*4294967296\r\n', b'$4294967296\r\n', b'$01\r\nx\r\n',
                      b'_\r\n', b'#t\r\n', b',1.5\r\n', b'(1\r\n', b'%1\r\n+a\r\n+b\r\n',
                      b'~1\r\n+a\r\n', b'>1\r\n+a\r\n', b'=5\r\ntxt:x\r\n', b'!3\r\nERR\r\n',
                      b'|1\r\n+a\r\n+b\r\n+c\r\n', b'HTTP/1.1 400 Bad Request\r\n', b'\r\n',
                      b':abc\r\n', b':\r\n', b': 1\r\n', b'$3\r\nabcd\r\n', b'$3\r\nabc\n\n',
                      b'+OK\n+OK\r\n', b'-ERR\rx\r\n', b'*1\r\n_\r\n', b'*2\r\n+a\r\n$-5\r\n',
                      b'$' + b'1' * 40, b'*1x\r\n'):
            self.assert_left(reply)

    def test_p09_a_line_that_does_not_end(self):
        self.assert_left(b'+' + b'x' * 100000)
        self.assert_left(b'-' + b'x' * 100000)

    def test_p23_arrays_within_arrays(self):
        self.assert_left(b'*1\r\n' * NESTED + b':1\r\n')
        self.assert_left(b'*2\r\n' * 129)
        self.serve(b'*1\r\n' * 128 + b':1\r\n')
        with Wire(self.proxy) as wire:
            self.assertEqual(wire.ask_raw('GET', 'k'), b'*1\r\n' * 128 + b':1\r\n')

    def test_a_promise_of_much_takes_no_memory(self):
        for reply in (b'*2147483647\r\n', b'$500000000\r\nx', b'*2\r\n$500000000\r\nx'):
            self.serve(reply, 'timeout: 300')
            with Wire(self.proxy) as wire:
                before = self.rss_kb()
                self.assertEqual(wire.ask_raw('GET', 'k'), b'-ERR Connection timed out\r\n')
                self.assertLess(self.rss_kb() - before, GROWTH_MAX_KB)
            self.assert_alive()

    def test_more_than_half_of_the_memory_is_not_waited_for(self):
        for reply in (b'$2147483647\r\nx', b'*2\r\n$2147483647\r\nx'):
            self.serve(reply, 'timeout: 20000')
            with Wire(self.proxy) as wire:
                self.assertEqual(wire.ask_raw('GET', 'k'), b'-ERR Message too long\r\n')
            self.assert_alive()

    def test_p32_a_login_is_answered_with_nonsense(self):
        """The server has failed; nothing of what was waiting is said to it."""
        heard = []

        def serve(*replies):
            def talk(connection):
                data = b''
                left = list(replies)
                while part := connection.recv(65536):
                    data += part
                    heard.append(part)
                    if left and data.count(b'*') >= 2:  # AUTH and SELECT are here
                        connection.sendall(left.pop(0))
            return TalkingNode(talk)
        for replies, error in (
                ((b'-\r\n',), b'-ERR '), ((b'-ERR\r\n',), b'-ERR ERR\r\n'),
                ((b'-' + b'x' * 60000 + b'\r\n',), b'-ERR xxx'),
                ((b'-' + b'x' * 70000,), b'-ERR Invalid argument\r\n'),
                ((b'-ERR \0\x1b[2J\xff\r\n',), b'-ERR ERR'),
                ((b'$-1\r\n$-1\r\n',), b'-ERR Invalid argument\r\n'),
                ((b':1\r\n:1\r\n',), b'-ERR Invalid argument\r\n'),
                ((b'*0\r\n*0\r\n',), b'-ERR Invalid argument\r\n'),
                ((b'+QUEUED\r\n+OK\r\n',), b'-ERR Invalid argument\r\n'),
                ((b'+OK\r\n-NOAUTH x\r\n',), b'-ERR NOAUTH x\r\n'),
                ((b'+OK\r\n$5\r\nhe',), b'-ERR Connection timed out\r\n'),
                ((b'+OK\r\n+OK\r\n+OK\r\n',), b'-ERR Invalid argument\r\n'),
                ((b'\0' * 100,), b'-ERR Invalid argument\r\n')):
            self.before(self.start(serve(*replies)), 'redis_auth: secret', 'redis_db: 2',
                        'timeout: 500')
            heard.clear()
            with Wire(self.proxy) as wire:
                wire.ask('AUTH', 'secret')
                reply = wire.ask_raw('SET', 'k', 'harm')
                self.assertTrue(reply.startswith(error), (replies[0][:60], reply))
                self.assertEqual(wire.ask('PING'), 'PONG')
            if not replies[0].startswith(b'+OK\r\n+OK'):
                self.assertNotIn(b'harm', b''.join(heard), replies[0][:60])
            self.assertNotIn('\x1b', self.proxy.said())
            self.assert_alive('secret')
            self.stack.pop_all().close()


class Mangler:
    """Valid data with bytes turned, taken out, doubled and put in."""

    PIECES = [b'\r\n', b'*', b'$', b'-1', b'0', b'\0', b'\xff', b'*1\r\n', b'$-1\r\n', b'"', b' ',
              b'9' * 20, b'+OK\r\n', b'-ERR x\r\n', b':1\r\n', b'$5\r\nhello\r\n']

    def __init__(self, seed):
        self.random = random.Random(seed)

    def mangle(self, data):
        data = bytearray(data)
        for _ in range(self.random.randrange(1, 6)):
            at = self.random.randrange(len(data) + 1)
            how = self.random.randrange(4)
            if how == 0 and at < len(data):
                data[at] ^= 1 << self.random.randrange(8)
            elif how == 1:
                del data[at:at + self.random.randrange(1, 5)]
            elif how == 2:
                data[at:at] = data[at:at + self.random.randrange(30)]
            else:
                data[at:at] = self.random.choice(self.PIECES)
        return bytes(data)


class Noise(Case):
    """SEED=n replays a run."""

    ROUNDS = int(os.environ.get('ROUNDS', '1500'))

    def test_mangled_requests(self):
        mangler = Mangler(SEED)
        self.before(self.start(Redis()))
        valid = [request(*words) for words in (
            ('GET', 'k'), ('SET', 'k', 'value'), ('MGET', 'a', 'b', 'c'), ('PING', 'x'), ('ECHO', 'x'),
            ('MSET', 'a', '1', 'b', '2'), ('DEL', 'a', 'b'), ('ZUNION', 2, 'a', 'b'), ('HELLO', 2),
            ('SORT', 'k', 'STORE', 'd'), ('CLIENT', 'ID'), ('AUTH', 'x', 'y'), ('NONSENSE', 'x'),
            ('OBJECT', 'ENCODING', 'k'), ('COMMAND', 'COUNT'))] + [b'PING x\r\n', b'GET "k"\r\n']
        for _ in range(self.ROUNDS):
            data = mangler.mangle(b''.join(mangler.random.choices(valid, k=5)))
            with Wire(self.proxy) as wire:
                try:
                    wire.socket.sendall(data)
                    wire.socket.shutdown(socket.SHUT_WR)
                    wire.file.read()
                except (BrokenPipeError, ConnectionResetError, OSError):
                    pass
        self.assert_alive()

    def test_mangled_replies(self):
        mangler = Mangler(SEED)
        valid = (b'+OK\r\n', b':12\r\n', b'$5\r\nhello\r\n', b'*3\r\n$1\r\na\r\n$-1\r\n:1\r\n',
                 b'*2\r\n*1\r\n+x\r\n*0\r\n', b'-ERR no\r\n', b'*-1\r\n')

        def talk(connection):
            connection.recv(65536)
            connection.sendall(mangler.mangle(b''.join(mangler.random.choices(valid, k=3))))
        fakes = [self.start(TalkingNode(talk)) for _ in range(2)]
        self.proxy = self.start(Proxy(pool(fakes, 'redis: true', 'timeout: 20000')))
        keys = ['k%d' % i for i in range(8)]
        with Wire(self.proxy) as wire:
            for number in range(self.ROUNDS):
                words = mangler.random.choice((('GET', keys[number % 8]), ('MGET', *keys),
                                               ('DEL', *keys), ('MSET', *keys), ('INCR', 'k1')))
                wire.send(*words)
                wire.send('ECHO', 'end %d' % number)
                read_raw(wire.file)
                self.assertEqual(wire.read(), b'end %d' % number, 'SEED=%d' % SEED)
        self.assert_alive()


if __name__ == '__main__':
    unittest.main()
