"""Meta commands through a proxy: routed by the key that is meant, quiet as the client asked,
answered in order."""
import base64
import random
import select
import threading
import unittest

import peer
from fakes import TalkingNode
from procs import Node, Proxy, pool

KEY_MAX = 250


class Wire(peer.Peer):
    """A connection; what is asked is followed by mn, and all before its answer returned."""

    def ask(self, *lines):
        self.socket.sendall(b''.join(line + b'\r\n' for line in lines) + b'mn\r\n')
        answer = []
        while not answer or answer[-1] != b'MN\r\n':
            line = self.file.readline()
            if not line:
                raise EOFError(b''.join(answer))
            answer.append(line)
        return b''.join(answer[:-1])

    def is_silent(self):
        """Nothing has come so far."""
        return select.select([self.socket], [], [], 0)[0] == []


class Case(peer.Case):
    def before(self, nodes, *lines):
        self.proxy = self.start(Proxy(pool(nodes, *lines)))
        return self.start(Wire(self.proxy))


class Routing(Case):
    def test_a_key_is_the_same_however_it_is_written(self):
        for lines in ((), ('hash_tag: "{}"',)):
            nodes = [self.start(Node()) for _ in range(3)]
            wire = self.before(nodes, *lines)
            direct = [self.start(Wire(node)) for node in nodes]
            homes = set()
            for i in range(60):
                key = b'key{%d}%d' % (i % 20, i)
                coded = base64.b64encode(key)
                self.assertEqual(wire.ask(b'ms %s 2 b' % coded, b'ab'), b'HD\r\n')
                self.assertEqual(wire.ask(b'get ' + key),
                                 b'VALUE %s 0 2\r\nab\r\nEND\r\n' % key)
                self.assertEqual(wire.ask(b'mg %s v' % key), b'VA 2\r\nab\r\n')
                self.assertEqual(wire.ask(b'mg %s b v' % coded), b'VA 2\r\nab\r\n')
                self.assertEqual(wire.ask(b'touch %s 0' % key), b'TOUCHED\r\n')
                self.assertTrue(wire.ask(b'gat 0 ' + key).startswith(b'VALUE '))
                self.assertTrue(wire.ask(b'me ' + key).startswith(b'ME '))
                self.assertTrue(wire.ask(b'me %s b' % coded).startswith(b'ME '))
                self.assertEqual(wire.ask(b'ma %s' % key)[:12], b'CLIENT_ERROR')
                self.assertEqual(wire.ask(b'ms %s 1 MA b' % coded, b'c'), b'HD\r\n')
                homes.update((i % 20 if lines else i, number) for number, each in enumerate(direct)
                             if each.ask(b'mg ' + key) == b'HD\r\n')
                self.assertEqual(wire.ask(b'md %s b' % coded), b'HD\r\n')
                self.assertEqual(wire.ask(b'get ' + key), b'END\r\n')
            self.assertEqual(len(homes), 20 if lines else 60)
            self.assertEqual({number for _, number in homes}, {0, 1, 2})

    def test_keys_that_are_no_words_go_in_base64(self):
        wire = self.before([self.start(Node()) for _ in range(3)])
        for key in (b' ', b'\r\n', b'\0', bytes(range(186)), b'with space'):
            coded = base64.b64encode(key)
            self.assertEqual(wire.ask(b'ms %s 1 b' % coded, b'x'), b'HD\r\n')
            self.assertEqual(wire.ask(b'mg %s b k v' % coded), b'VA 1 k%s b\r\nx\r\n' % coded)

    def test_what_is_no_base64_is_refused_and_its_value_swallowed(self):
        wire = self.before([self.start(Node()) for _ in range(3)])
        bad = b'CLIENT_ERROR error decoding key\r\n'
        for name in (b'mg', b'md', b'ma'):
            self.assertEqual(wire.ask(name + b' a b'), bad)
        self.assertEqual(wire.ask(b'ms a 4 b', b'mg x', b'mg x'), bad + b'EN\r\n')

    def test_keys_that_are_too_long_are_refused(self):
        wire = self.before([self.start(Node()) for _ in range(3)])
        bad = b'CLIENT_ERROR bad command line format\r\n'
        for name in (b'mg', b'md', b'ma'):
            self.assertEqual(wire.ask(b'%s %s' % (name, b'k' * KEY_MAX))[:2],
                             {b'mg': b'EN', b'md': b'NF', b'ma': b'NF'}[name])
            self.assertEqual(wire.ask(b'%s %s' % (name, b'k' * (KEY_MAX + 1))), bad)
        self.assertEqual(wire.ask(b'ms %s 4' % (b'k' * (KEY_MAX + 1)), b'mg x'), bad)


class AsANode(Case):
    """What a node answers, three behind a proxy answer."""

    def setUp(self):
        super().setUp()
        self.alone = self.start(Wire(self.start(Node('-t', '1'))))
        self.wire = self.before([self.start(Node('-t', '1')) for _ in range(3)])

    def check(self, *lines):
        theirs, ours = self.alone.ask(*lines), self.wire.ask(*lines)
        self.assertEqual(ours, theirs, lines)
        return ours

    def test_quiet_commands_are_silent_about_what_is_usual(self):
        for quiet in (b'', b' q'):
            for key in (b'a', b'b', b'c', b'd'):
                for lines in (
                        (b'mg %s v%s' % (key, quiet),), (b'ms %s 1 ME%s' % (key, quiet), b'5'),
                        (b'ms %s 1 ME%s' % (key, quiet), b'6'), (b'mg %s v k%s' % (key, quiet),),
                        (b'mg %s%s' % (key, quiet),), (b'ma %s%s' % (key, quiet),),
                        (b'ma %s v%s' % (key, quiet),), (b'ma none%s' % quiet,),
                        (b'ma new%s N0 J7 v%s' % (key, quiet),),
                        (b'ms %s 1 C999999%s' % (key, quiet), b'x'),
                        (b'ms none 1 MR%s' % quiet, b'x'), (b'ms none 1 MA%s' % quiet, b'x'),
                        (b'md %s C999999%s' % (key, quiet),), (b'md %s%s' % (key, quiet),),
                        (b'md %s%s' % (key, quiet),), (b'ms %s 1%s' % (key, quiet), b'x'),
                        (b'ms %s 1%s' % (key, quiet), b'xy'), (b'mg %s !%s' % (key, quiet),),
                        (b'mg %s v v%s' % (key, quiet),), (b'ma %s%s' % (key, quiet),),
                        (b'ma %s Dx%s' % (key, quiet),), (b'ms %s 1 MZ%s' % (key, quiet), b'x'),
                        (b'ms %s x%s' % (key, quiet),), (b'me none%s' % quiet,),
                        (b'md %s%s' % (key, quiet),)):
                    self.check(*lines)

    def test_opaque_words_and_keys_come_back(self):
        self.check(b'ms k 1 Oabc k', b'x')
        for line in (b'mg k O123 k v', b'mg k v O' + b'x' * 31, b'mg k v O' + b'x' * 32,
                     b'mg none O1', b'mg none O1 k', b'md none O2 k', b'ma none O3', b'ma k O4',
                     b'md k q O5', b'mg k k O6 q', b'ms k x O7'):
            self.check(line)
        self.assertEqual(self.check(b'ms Zm9v 1 b O1 k T90', b'x'), b'HD O1 kZm9v b\r\n')
        self.check(b'mg foo k')
        self.check(b'mg foo k b')

    def test_lines_that_are_no_commands(self):
        for line in (b'mg', b'ms', b'md', b'ma', b'me', b'mg ', b'mx k', b'MG k', b'mn x', b'mg  k',
                     b' mg k', b'mg k \xff', b'ms k', b'ms k -1', b'ms k 99999999999',
                     b'mg k ' + b'v ' * 30):
            self.check(line)

    def test_a_value_of_any_size(self):
        for size in (0, 1, 2047, 2048, 2049, 16384, 65535, 65536, 100000, 1000000):
            value = b'v' * size
            self.check(b'ms k %d' % size, value)
            self.check(b'mg k v s')
            self.check(b'mg k v q k')

    def test_a_pipeline_keeps_its_order(self):
        chance = random.Random(5)
        lines = []
        for i in range(2000):
            key = b'k%d' % chance.randrange(50)
            lines += chance.choice(((b'mg %s v k O%d' % (key, i),), (b'mg %s q v' % key,),
                                    (b'ms %s 3 q O%d' % (key, i), b'abc'), (b'get ' + key,),
                                    (b'md %s O%d' % (key, i),), (b'set %s 0 0 1 noreply' % key, b'z'),
                                    (b'ms %s 2 k' % key, b'xy'), (b'nonsense',),
                                    (b'get k1 k2 k3 %s' % key,)))
        self.check(*lines)


class Servers(Case):
    """What a server is sent, when it is slow, and when it is gone."""

    def test_flags_that_are_newer_than_the_proxy_are_passed_on_and_q_is_not(self):
        heard = []

        def talk(connection):
            for line in connection.makefile('rb'):
                heard.append(line)
                if not line.startswith(b'ms'):
                    connection.sendall(b'HD\r\n')
        wire = self.before([self.start(TalkingNode(talk))])
        for line, passed in (
                (b'mg k v q k', b'mg k v k'), (b'mg k y7 G q Wx1', b'mg k y7 G Wx1'),
                (b'ms k 5 q y Lpath O1', b'ms k 5 y Lpath O1'), (b'md k x q Zz', b'md k x Zz'),
                (b'ma k Pproxy q Uu', b'ma k Pproxy Uu'), (b'mg  Zm9v   b  q', b'mg Zm9v b')):
            heard.clear()
            wire.ask(line, *[b'value'] * line.startswith(b'ms'))
            self.assertEqual(heard[0], passed + b'\r\n')

    def test_mn_comes_when_all_before_it_is_done(self):
        """A slow server's quiet and noreply commands too; other clients are not held up."""
        for first in (b'ms slow 1 q\r\nx\r\n', b'set slow 0 0 1 noreply\r\nx\r\n',
                      b'md slow q\r\n', b'delete slow noreply\r\n', b'mg slow q\r\n'):
            for fence in (b'mn\r\n', b'mg quick\r\n', b'version\r\n', b'nonsense\r\n'):
                self.held_back(first, fence)
                self.stack.pop_all().close()

    def held_back(self, first, fence):
        heard, go_on, homes = threading.Event(), threading.Event(), {}
        words = {b'ms': b'HD', b'md': b'HD', b'mg': b'EN', b'set': b'STORED',
                 b'delete': b'DELETED'}

        def node(number):
            def talk(connection):
                for line in connection.makefile('rb'):
                    if line == b'x\r\n':
                        continue
                    name, key = line.split()[:2]
                    homes[key] = number
                    if key == b'slow':
                        heard.set()
                        go_on.wait(30)
                    connection.sendall(words[name] + b'\r\n')
            return TalkingNode(talk)
        wire = self.before([self.start(node(number)) for number in range(2)], 'timeout: 30000')
        keys = [b'key%d' % i for i in range(50)]
        wire.ask(*[b'mg ' + key for key in keys])
        wire.socket.sendall(first)
        self.assertTrue(heard.wait(30))
        quick = next(key for key in keys if homes[key] != homes[b'slow'])
        wire.socket.sendall(fence.replace(b'quick', quick))
        with Wire(self.proxy) as other:
            self.assertEqual(other.ask(b'mg ' + quick), b'EN\r\n')
        self.assertTrue(wire.is_silent(), (first, fence))
        go_on.set()
        self.assertEqual(wire.file.readline()[:3],
                         {b'mn': b'MN\r', b'mg': b'EN\r', b've': b'VER', b'no': b'ERR'}[fence[:2]])

    def test_a_dead_server_is_told_of_also_to_the_quiet(self):
        node = self.start(Node())
        wire = self.before([node])
        node.kill()
        for line in (b'mg k', b'mg k q', b'md k q', b'ma k q', b'me k', b'mg Zm9v b q O1'):
            self.assertEqual(wire.ask(line), b'SERVER_ERROR Connection refused\r\n', line)
        self.assertEqual(wire.ask(b'ms k 1 q', b'x'), b'SERVER_ERROR Connection refused\r\n')
        self.assertEqual(wire.ask(b'set k 0 0 1 noreply', b'x'), b'')

    def test_replies_that_are_none_are_the_servers_fault(self):
        said = [b'']

        def talk(connection):
            for _ in connection.makefile('rb'):
                connection.sendall(said[0])
        wire = self.before([self.start(TalkingNode(talk))], 'timeout: 2000')
        for said[0] in (b'VALUE k 0 1\r\nx\r\nEND\r\n', b'VA x\r\n', b'VA -1\r\n', b'VA\r\n',
                        b'STORED\r\n', b'END\r\n', b'MN\r\n', b'VA 1 f0\r\nxyz\r\n', b'HDX\r\n',
                        b'hd\r\n', b'NF\r\n', b'NS\r\n', b'HD\nHD\r\n', b'VA 4294967297\r\nx\r\n',
                        b'VA 18446744073709551615\r\n', b'EN x\r\n' * 2):
            self.assertIn(wire.ask(b'mg k v'), (b'SERVER_ERROR Invalid argument\r\n',
                                                b'EN x\r\n'), said)


if __name__ == '__main__':
    unittest.main()
