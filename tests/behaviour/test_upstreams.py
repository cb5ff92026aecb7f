"""Servers that stall, trickle, lie about lengths, are late or die while clients are at work."""
import contextlib
import os
import random
import socket
import tempfile
import threading
import time
import unittest

from fakes import TalkingNode, value_of
from peer import Peer
from procs import Node, Proxy, pool, wait_until

PATIENT = 'timeout: 50', 'server_failure_limit: 1000000000'  # who is so often late is not given up
SEED = int(os.environ.get('SEED', random.SystemRandom().randrange(1 << 32)))


class Client(Peer):
    def __init__(self, proxy):
        super().__init__(proxy, 60)

    def ask(self, text, lines=1):
        self.socket.sendall(text)
        return b''.join(self.file.readline() for _ in range(lines))


def rss_kb(process):
    with open('/proc/%d/status' % process.pid) as status:
        return int([line for line in status if line.startswith('VmRSS')][0].split()[1])


class Stalls(unittest.TestCase):
    def test_thousands_of_requests_wait_for_a_stalled_server_and_are_all_answered(self):
        go_on = threading.Event()

        def talk(connection):
            go_on.wait(60)
            for line in connection.makefile('rb'):
                connection.sendall(value_of(line))
        count = 5000
        with TalkingNode(talk) as node, Proxy(pool([node], 'timeout: 60000')) as proxy:
            with Client(proxy) as client:
                client.socket.sendall(b''.join(b'get key%d\r\n' % i for i in range(count)))
                go_on.set()
                for i in range(count):
                    self.assertEqual(b''.join(client.file.readline() for _ in range(3)),
                                     value_of(b'get key%d' % i))

    def test_a_late_reply_reaches_nobody(self):
        """The server answers around the timeout, with what it was asked long ago."""
        def talk(connection):
            for number, line in enumerate(connection.makefile('rb')):
                if number % 3 == 2:
                    time.sleep(0.06)
                connection.sendall(value_of(line))
        with TalkingNode(talk) as node, Proxy(pool([node], *PATIENT)) as proxy:
            outcomes = {'right': 0, 'late': 0}

            def work(name):
                with Client(proxy) as client:
                    for i in range(60):
                        key = b'%s-%d' % (name, i)
                        line = client.ask(b'get %s\r\n' % key)
                        if line.startswith(b'SERVER_ERROR'):
                            outcomes['late'] += 1
                            continue
                        self.assertEqual(line + client.file.readline() + client.file.readline(),
                                         value_of(b'get ' + key))
                        outcomes['right'] += 1
            threads = [threading.Thread(target=work, args=(b'client%d' % i,)) for i in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(120)
            self.assertEqual(sum(outcomes.values()), 8 * 60)
            self.assertGreater(outcomes['right'], 0)
            self.assertGreater(outcomes['late'], 0)

    def test_replies_around_the_timeout_are_never_taken_for_others(self):
        """P-16: unique values, pipelined; the server stalls now and then for about the timeout.
        LATE_REQUESTS=10000000 for the long run."""
        batch, batches = 500, int(os.environ.get('LATE_REQUESTS', 200000)) // 500

        chance = random.Random(SEED)  # of all connections: each would else begin with the same

        def talk(connection):
            kept = b''
            while data := connection.recv(65536):
                *lines, kept = (kept + data).split(b'\r\n')
                if chance.random() < 0.06:  # of 400 batches none is late once in 200000 runs
                    time.sleep(chance.uniform(0.03, 0.07))
                connection.sendall(b''.join(value_of(line) for line in lines))

        with TalkingNode(talk) as node, Proxy(pool([node], *PATIENT)) as proxy:
            with Client(proxy) as client:
                late = right = 0
                for number in range(batches):
                    keys = [b'%d-%d' % (number, i) for i in range(batch)]
                    client.socket.sendall(b''.join(b'get %s\r\n' % key for key in keys))
                    for key in keys:
                        line = client.file.readline()
                        if line.startswith(b'SERVER_ERROR'):
                            late += 1
                            continue
                        line += client.file.readline() + client.file.readline()
                        self.assertEqual(line, value_of(b'get ' + key), 'seed %d' % SEED)
                        right += 1
            self.assertGreater(right, batches)
            self.assertGreater(late, 0)

    def test_a_server_that_reads_slowly_mixes_nothing_up(self):
        """P-12: it takes a few bytes at a time while its replies are already on their way.
        SLOW_REQUESTS=1000000 for the long run."""
        def talk(connection):
            chance = random.Random(SEED)
            kept = b''
            while data := connection.recv(chance.randrange(1, 4000)):
                *lines, kept = (kept + data).split(b'\r\n')
                connection.sendall(b''.join(value_of(line) for line in lines))
        count = int(os.environ.get('SLOW_REQUESTS', 20000))
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, 'node')
            text = 'pool:\n  listen: 127.0.0.1:%%d\n  timeout: 60000\n  servers: [%s:1]\n' % path
            with TalkingNode(talk, path), Proxy(text) as proxy, Client(proxy) as client:
                keys = [b'%d-%s' % (i, b'k' * (i % 200)) for i in range(count)]
                sender = threading.Thread(target=client.socket.sendall, args=(
                    b''.join(b'get %s\r\n' % key for key in keys),))
                sender.start()
                for key in keys:
                    self.assertEqual(b''.join(client.file.readline() for _ in range(3)),
                                     value_of(b'get ' + key), 'seed %d' % SEED)
                sender.join(60)


class Lengths(unittest.TestCase):
    def announce(self, length, trickle=b''):
        def talk(connection):
            for _ in connection.makefile('rb'):
                connection.sendall(b'VALUE a 0 %d\r\n' % length)
                connection.sendall(trickle)
        return TalkingNode(talk)

    def test_a_huge_value_that_only_trickles_takes_no_memory_and_times_out(self):
        for length in (1 << 28, (1 << 29) - 100):
            with self.announce(length, b'x' * 100) as node:
                with Proxy(pool([node], 'timeout: 300')) as proxy, Client(proxy) as client:
                    before = rss_kb(proxy.process)
                    self.assertEqual(client.ask(b'get a\r\n'),
                                     b'SERVER_ERROR Connection timed out\r\n')
                    self.assertLess(rss_kb(proxy.process) - before, 16384)
                    self.assertEqual(client.ask(b'mn\r\n'), b'MN\r\n')

    def test_a_value_over_half_of_the_memory_is_not_waited_for(self):
        for length in (2 ** 31 - 3, 1 << 29):
            with self.announce(length, b'x' * 100) as node:
                with Proxy(pool([node], 'timeout: 20000')) as proxy, Client(proxy) as client:
                    self.assertEqual(client.ask(b'get a\r\n'),
                                     b'SERVER_ERROR Message too long\r\n')
                    self.assertEqual(client.ask(b'mn\r\n'), b'MN\r\n')

    def test_a_length_that_no_value_has_is_a_protocol_error(self):
        for length in (2 ** 31, 2 ** 32 - 1, 2 ** 64):
            with self.announce(length) as node:
                with Proxy(pool([node], 'timeout: 20000')) as proxy, Client(proxy) as client:
                    self.assertEqual(client.ask(b'get a\r\n'),
                                     b'SERVER_ERROR Invalid argument\r\n')

    def test_an_empty_value_passes(self):
        with self.announce(0, b'\r\nEND\r\n') as node, Proxy(pool([node])) as proxy:
            with Client(proxy) as client:
                self.assertEqual(client.ask(b'get a\r\n', 3), b'VALUE a 0 0\r\n\r\nEND\r\n')

    def test_keys_of_all_lengths_pass(self):
        with contextlib.ExitStack() as stack:
            nodes = [stack.enter_context(Node()) for _ in range(2)]
            proxy = stack.enter_context(Proxy(pool(nodes)))
            client = stack.enter_context(Client(proxy))
            for length in range(1, 251):
                key = b'k' * length
                self.assertEqual(client.ask(b'set %s 0 0 1\r\nx\r\n' % key), b'STORED\r\n')
                self.assertEqual(client.ask(b'get %s\r\n' % key, 3),
                                 b'VALUE %s 0 1\r\nx\r\nEND\r\n' % key)
            self.assertTrue(client.ask(b'get %s\r\n' % (b'k' * 251)).startswith(b'CLIENT_ERROR'))


class NodeDiesUnderLoad(unittest.TestCase):
    def test_no_reply_is_wrong_and_other_servers_keys_never_notice(self):
        with contextlib.ExitStack() as stack:
            nodes = [stack.enter_context(Node()) for _ in range(3)]
            proxy = stack.enter_context(Proxy(pool(nodes, 'timeout: 20000')))
            keys = [b'key%d' % i for i in range(300)]
            with Client(proxy) as client:
                for key in keys:
                    self.assertEqual(client.ask(b'set %s 0 0 %d\r\n%s\r\n' % (key, len(key), key)),
                                     b'STORED\r\n')
            with contextlib.closing(socket.create_connection(('127.0.0.1', nodes[0].port))) as one:
                one.sendall(b''.join(b'get %s\r\n' % key for key in keys) + b'quit\r\n')
                mortal = {line.split()[1] for line in one.makefile('rb')
                          if line.startswith(b'VALUE')}
            stop, problems, rounds = threading.Event(), [], [0] * 6

            def work(number):
                chance = random.Random(SEED + number)
                with Client(proxy) as client:
                    while not stop.is_set():
                        asked = chance.sample(keys, 16)
                        client.socket.sendall(b''.join(b'get %s\r\n' % key for key in asked))
                        for key in asked:
                            line = client.file.readline()
                            if line.startswith(b'VALUE'):
                                line += client.file.readline() + client.file.readline()
                            fine = {value_of(b'get ' + key)}
                            if key in mortal:
                                fine.add(b'END\r\n')
                            if line not in fine and not (
                                    key in mortal and line.startswith(b'SERVER_ERROR ')):
                                problems.append((key, line))
                                return
                        rounds[number] += 1
            threads = [threading.Thread(target=work, args=(i,)) for i in range(len(rounds))]
            for thread in threads:
                thread.start()
            node = nodes[0]
            for _ in range(5):
                self.after_more_rounds(rounds, problems)
                node.kill()
                self.after_more_rounds(rounds, problems)
                node = stack.enter_context(Node(port=node.port))
            self.after_more_rounds(rounds, problems)
            stop.set()
            for thread in threads:
                thread.join(60)
            self.assertEqual(problems, [], 'seed %d' % SEED)

    def after_more_rounds(self, rounds, problems):
        """Waits until each client has done a few more."""
        wanted = [count + 3 for count in rounds]
        until = time.monotonic() + 60
        while not problems and any(count < want for count, want in zip(rounds, wanted)):
            self.assertLess(time.monotonic(), until, 'no progress')
            time.sleep(0.005)


class Ejection(unittest.TestCase):
    def test_a_server_that_is_back_gets_its_keys_again(self):
        with contextlib.ExitStack() as stack:
            nodes = [stack.enter_context(Node()) for _ in range(2)]
            proxy = stack.enter_context(Proxy(pool(
                nodes, 'auto_eject_hosts: true', 'server_failure_limit: 1',
                'server_retry_timeout: 200', 'timeout: 2000')))
            client = stack.enter_context(Client(proxy))
            keys = [b'k%d' % i for i in range(40)]

            def found():
                answers = []
                for key in keys:
                    line = client.ask(b'get %s\r\n' % key)
                    if line.startswith(b'VALUE'):
                        client.file.readline(), client.file.readline()
                    answers.append(line[:5])
                return answers
            for key in keys:
                client.ask(b'set %s 0 0 1\r\nx\r\n' % key)
            self.assertEqual(set(found()), {b'VALUE'})
            nodes[0].kill()
            wait_until(lambda: set(found()) == {b'VALUE', b'END\r\n'})
            back = stack.enter_context(Node(port=nodes[0].port))
            with Client(back) as direct:
                for key in keys:
                    direct.ask(b'set %s 0 0 1\r\nx\r\n' % key)
            wait_until(lambda: set(found()) == {b'VALUE'})


if __name__ == '__main__':
    unittest.main()
