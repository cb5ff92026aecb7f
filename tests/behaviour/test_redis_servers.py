"""A Redis pool's servers: passwords and databases, and what happens when one cannot serve."""
import os
import tempfile
import threading
import unittest

import peer
import procs
from fakes import TalkingNode
from procs import Proxy, Redis, pool
from resp import Error, Wire, request


def commands(file):
    """The requests that a server reads, as lists of words."""
    while line := file.readline():
        words = []
        for _ in range(int(line[1:])):
            length = int(file.readline()[1:])
            words.append(file.read(length + 2)[:-2])
        yield words


def server(answer):
    """A fake server that says answer(words) to each request; None closes the connection."""
    def talk(connection):
        for words in commands(connection.makefile('rb')):
            reply = answer(words)
            if reply is None:
                return
            connection.sendall(reply)
    return TalkingNode(talk)


class Case(peer.Case):
    def before(self, servers, *lines):
        """A proxy, and a wire to it."""
        self.proxy = self.start(Proxy(pool(servers, 'redis: true', *lines)))
        return self.start(Wire(self.proxy))


class Login(Case):
    """redis_auth and redis_db, toward servers and clients."""

    def login(self, server, number=0):
        wire = self.start(Wire(server))
        self.assertEqual(wire.ask('AUTH', 'secret'), 'OK')
        self.assertEqual(wire.ask('SELECT', number), 'OK')
        return wire

    def try_pool(self, servers, *lines):
        wire = self.before(servers, 'redis_auth: secret', 'redis_db: 5', *lines)
        self.assertEqual(wire.ask('AUTH', 'secret'), 'OK')
        keys = ['key%d' % i for i in range(60)]
        for key in keys:
            self.assertEqual(wire.ask('SET', key, key), 'OK')
        self.assertEqual(wire.ask('MGET', *keys), [key.encode() for key in keys])
        sizes = [self.login(server, 5).ask('DBSIZE') for server in servers]
        self.assertEqual(sum(sizes), 60)
        self.assertNotIn(0, sizes)
        self.assertEqual([self.login(server).ask('DBSIZE') for server in servers], [0, 0])
        return wire

    def test_password_and_database_by_tcp(self):
        servers = [self.start(Redis('--requirepass', 'secret')) for _ in range(2)]
        wire = self.try_pool(servers)
        self.assertEqual(wire.ask('SELECT', 5), 'OK')
        self.assertTrue(wire.ask('SELECT', 0).startswith('ERR DB index is out of range'))

    def test_password_and_database_on_many_connections_made_beforehand(self):
        self.try_pool([self.start(Redis('--requirepass', 'secret')) for _ in range(2)],
                      'preconnect: true', 'server_connections: 3')

    def test_a_server_that_is_back_is_let_in_with_its_password(self):
        """What asks whether it is there says the password, too."""
        servers = [self.start(Redis('--requirepass', 'secret')) for _ in range(2)]
        wire = self.try_pool(servers, 'auto_eject_hosts: true', 'server_failure_limit: 1',
                             'server_retry_timeout: 50', 'timeout: 5000')
        keys = ['key%d' % i for i in range(60)]
        servers[0].kill()
        procs.wait_until(lambda: not any(isinstance(wire.ask('GET', key), Error) for key in keys))
        back = self.start(Redis('--requirepass', 'secret', port=servers[0].port))
        direct = self.login(back, 5)

        def comes_back():
            for key in keys:
                self.assertEqual(wire.ask('SET', key, 'again'), 'OK')
            return direct.ask('DBSIZE') != 0
        procs.wait_until(comes_back)
        self.assertEqual(self.login(back).ask('DBSIZE'), 0)

    def test_password_and_database_by_unix_socket(self):
        directory = self.start(tempfile.TemporaryDirectory())
        self.try_pool([self.start(Redis('--requirepass', 'secret', unix_path=os.path.join(
            directory, name))) for name in 'ab'])

    def test_database_without_a_password(self):
        server = self.start(Redis())
        wire = self.before([server], 'redis_db: 3')
        self.assertEqual(wire.ask('SET', 'k', 'v'), 'OK')
        direct = self.start(Wire(server))
        self.assertEqual(direct.ask('DBSIZE'), 0)
        direct.ask('SELECT', 3)
        self.assertEqual(direct.ask('GET', 'k'), b'v')

    def test_a_wrong_password_is_told_to_everyone(self):
        server = self.start(Redis('--requirepass', 'other'))
        wire = self.before([server], 'redis_auth: secret', 'redis_db: 5')
        self.assertEqual(wire.ask('AUTH', 'secret'), 'OK')
        for words in (('SET', 'k', 'v'), ('GET', 'k'), ('MSET', 'a', '1', 'b', '2')):
            self.assertTrue(wire.ask(*words).startswith('ERR WRONGPASS '), words)
        self.assertEqual(wire.ask('PING'), 'PONG')
        self.assertIn('refuses the connection: WRONGPASS', self.proxy.said())
        direct = self.start(Wire(server))
        direct.ask('AUTH', 'other')
        self.assertEqual(direct.ask('INFO', 'keyspace'), b'# Keyspace\r\n')

    def test_a_password_that_nobody_asked_for_is_told(self):
        server = self.start(Redis())
        wire = self.before([server], 'redis_auth: secret')
        wire.ask('AUTH', 'secret')
        self.assertIn('without any password configured', wire.ask('SET', 'k', 'v'))
        self.assertEqual(self.start(Wire(server)).ask('DBSIZE'), 0)

    def test_a_database_that_is_not_there_never_becomes_another(self):
        server = self.start(Redis('--requirepass', 'secret', '--databases', '4'))
        wire = self.before([server], 'redis_auth: secret', 'redis_db: 9')
        wire.ask('AUTH', 'secret')
        wire.socket.sendall(request('SET', 'k', 'v') * 50)
        for _ in range(50):
            self.assertEqual(wire.read(), Error('ERR ERR DB index is out of range'))
        self.assertEqual(self.login(server).ask('INFO', 'keyspace'), b'# Keyspace\r\n')

    def test_a_client_has_to_say_the_password(self):
        server = self.start(Redis('--requirepass', 'secret'))
        wire = self.before([server], 'redis_auth: secret')
        refusal = b'-NOAUTH Authentication required\r\n'
        for words in (('GET', 'k'), ('PING',), ('SET', 'k', 'v'), ('NONSENSE',), ('MULTI',),
                      ('SELECT', 0), ('CLIENT', 'ID'), ('COMMAND',), ('INFO',), ('RESET',)):
            self.assertEqual(wire.ask_raw(*words), refusal, words)
        self.assertEqual(wire.say(b'GET k\r\n'), refusal)
        for words in (('AUTH', 'wrong'), ('AUTH', 'secre'), ('AUTH', 'secretx'), ('AUTH', ''),
                      ('AUTH', 'nobody', 'secret'), ('AUTH', 'default', 'wrong')):
            self.assertEqual(wire.ask_raw(*words), b'-ERR invalid password\r\n', words)
        self.assertEqual(wire.ask_raw('AUTH', 'a', 'b', 'c'),
                         b"-ERR wrong number of arguments for 'auth' command\r\n")
        self.assertTrue(wire.ask('HELLO', 2).startswith('NOAUTH '))
        self.assertEqual(wire.ask_raw('GET', 'k'), refusal)
        self.assertEqual(wire.ask('AUTH', 'secret'), 'OK')
        self.assertEqual(wire.ask('SET', 'k', 'v'), 'OK')
        self.assertEqual(wire.ask('AUTH', 'default', 'secret'), 'OK')
        self.assertEqual(wire.ask('AUTH', 'wrong'), 'ERR invalid password')
        self.assertEqual(wire.ask_raw('GET', 'k'), refusal)
        self.assertEqual(wire.ask('HELLO', 2, 'AUTH', 'default', 'secret')[0], b'server')
        self.assertEqual(wire.ask('GET', 'k'), b'v')
        self.assertEqual(wire.ask('RESET'), 'RESET')
        self.assertEqual(wire.ask_raw('GET', 'k'), refusal)
        self.assertEqual(wire.ask('QUIT'), 'OK')
        self.assertTrue(wire.is_closed())

    def test_a_password_and_what_follows_in_one_go(self):
        wire = self.before([self.start(Redis('--requirepass', 'secret'))], 'redis_auth: secret')
        large = 'x' * 100000
        wire.socket.sendall(request('AUTH', 'secret') + request('SET', 'k', large)
                            + request('GET', 'k'))
        self.assertEqual([wire.read() for _ in range(3)], ['OK', 'OK', large.encode()])


class Failing(Case):
    """nutcracker's words for what goes wrong; the client's connection lives."""

    def assert_answers(self, wire, error, *pipelined):
        for words in (('GET', 'k'), ('SET', 'k', 'v'), *pipelined):
            self.assertEqual(wire.ask_raw(*words), error, words)
        self.assertEqual(wire.ask('PING'), 'PONG')

    def test_a_refused_connection(self):
        gone = self.start(Redis())
        gone.kill()
        wire = self.before([gone])
        self.assert_answers(wire, b'-ERR Connection refused\r\n')

    def test_a_server_that_closes_or_says_half(self):
        self.assert_answers(self.before([self.start(server(lambda words: None))]),
                            b'-ERR unknown\r\n')

        def half(connection):
            next(commands(connection.makefile('rb')))
            connection.sendall(b'$10\r\nhalf')
        self.assert_answers(self.before([self.start(TalkingNode(half))]), b'-ERR unknown\r\n')

    def test_a_server_that_is_silent(self):
        wire = self.before([self.start(server(lambda words: b''))], 'timeout: 150')
        self.assert_answers(wire, b'-ERR Connection timed out\r\n')

    def test_a_reply_that_nobody_asked_for(self):
        def talk(connection):
            for words in commands(connection.makefile('rb')):
                connection.sendall(b'$2\r\nv1\r\n$5\r\nstray\r\n')
        wire = self.before([self.start(TalkingNode(talk))])
        for _ in range(20):
            self.assertIn(wire.ask('GET', 'k'), (b'v1', Error('ERR Invalid argument')))

    def test_a_server_that_cannot_serve(self):
        """-OOM, -BUSY and -LOADING are failures of the server, other errors its answers."""
        said = []
        wire = self.before([self.start(server(lambda words: said[0]))])
        for error in (b'-OOM', b'-BUSY', b'-LOADING'):
            for rest in (b' Redis cannot\r\n', b'\r\n'):
                said[:] = [error + rest]
                self.assert_answers(wire, b'-ERR Invalid argument\r\n')
        for error in (b'-ERR x\r\n', b'-MISCONF x\r\n', b'-READONLY x\r\n', b'-OOMX x\r\n',
                      b'-BUSYKEY x\r\n', b'-BUSYGROUP x\r\n', b'-LOADINGS\r\n', b'-oom x\r\n'):
            said[:] = [error]
            self.assert_answers(wire, error)

    def test_such_a_server_is_ejected(self):
        good = self.start(Redis())
        bad = self.start(server(lambda words: b'-LOADING Redis is loading\r\n'))
        wire = self.before([good, bad], 'auto_eject_hosts: true', 'server_failure_limit: 2',
                           'server_retry_timeout: 60000')
        seen = []

        def all_go_to_the_other():
            replies = [wire.ask('SET', 'key%d' % i, 'x') for i in range(100)]
            seen.extend(replies)
            return set(replies) == {'OK'}
        procs.wait_until(all_go_to_the_other)
        self.assertEqual(set(seen), {'OK', 'ERR Invalid argument'})
        self.assertGreaterEqual(seen.count('ERR Invalid argument'), 2)

    def test_a_part_that_is_refused_fails_the_whole_and_nothing_else(self):
        """The part's connection failed: its error; the part was answered an error, or
        nonsense: an invalid argument."""
        said = [b'']

        def answer(words):
            return said[0] if words[0].upper() in (b'MGET', b'MSET', b'DEL', b'EXISTS') else b'+OK\r\n'
        good, bad = self.start(Redis()), self.start(server(answer))
        wire = self.before([good, bad], 'timeout: 5000')
        keys = ['key%d' % i for i in range(40)]
        pairs = [word for key in keys for word in (key, 'x')]
        every = (('MGET', *keys), ('DEL', *keys), ('EXISTS', *keys), ('MSET', *pairs))
        for said[0] in (b'-READONLY replica\r\n', b'-OOM x\r\n', b'*1\r\n$1\r\nx\r\n', b'*-1\r\n',
                        b'$-1\r\n', b':-1\r\n', b'+QUEUED\r\n', b'*%d\r\n%s' % (
                            100, b'$-1\r\n' * 100)):
            for words in every:
                self.assertEqual(wire.ask_raw(*words), b'-ERR Invalid argument\r\n',
                                 (words[0], said))
                self.assertEqual(wire.ask('PING'), 'PONG')
        said[0] = None
        for words in every:
            self.assertEqual(wire.ask_raw(*words), b'-ERR unknown\r\n', words[0])
        self.assertEqual(wire.ask('PING'), 'PONG')

    def test_a_server_dies_while_requests_are_under_way(self):
        """Errors for its keys, in their place; all others are answered. It comes back."""
        servers = [self.start(Redis()) for _ in range(3)]
        wire = self.before(servers, 'timeout: 10000')
        keys = ['key%d' % i for i in range(200)]
        for key in keys:
            wire.ask('SET', key, key)
        direct = self.start(Wire(servers[0]))
        mortal = {key for key in keys if direct.ask('EXISTS', key)}
        stop, wrong, rounds = threading.Event(), [], [0] * 4

        def work(number):
            with Wire(self.proxy) as mine:
                while not stop.is_set():
                    mine.socket.sendall(b''.join(request('GET', key) for key in keys)
                                        + request('MGET', *keys))
                    for key in keys:
                        got = mine.read()
                        if got != key.encode() and not (key in mortal and (
                                got is None or isinstance(got, Error))):
                            wrong.append((key, got))
                    got = mine.read()
                    if not isinstance(got, Error) and any(
                            value != key.encode() and (key not in mortal or value is not None)
                            for key, value in zip(keys, got)):
                        wrong.append(got)
                    rounds[number] += 1
        threads = [threading.Thread(target=work, args=(i,)) for i in range(len(rounds))]
        for thread in threads:
            thread.start()
        mortal_server = servers[0]
        for _ in range(3):
            for kills in (True, False):
                wanted = [count + 3 for count in rounds]
                procs.wait_until(lambda: all(count >= want for count, want in zip(rounds, wanted)))
                if kills:
                    mortal_server.kill()
                else:
                    mortal_server = self.start(Redis(port=servers[0].port))
        stop.set()
        for thread in threads:
            thread.join(60)
        self.assertEqual(wrong, [])
        self.assertEqual(wire.ask('SET', min(mortal), 'again'), 'OK')


if __name__ == '__main__':
    unittest.main()
