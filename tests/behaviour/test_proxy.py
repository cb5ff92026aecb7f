"""cacheproxy from outside: a pool of nodes, and of servers that say what they should not."""
import json
import random
import signal
import socket
import time
import unittest

from fakes import TalkingNode, stats_of
from peer import Case, Peer
from procs import Node, Proxy, pool


class Absent:
    """A server that nobody is."""

    def __init__(self):
        self.holder = socket.socket()  # bound, so that nobody else is there, but not listening
        self.holder.bind(('127.0.0.1', 0))
        self.port = self.holder.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.holder.close()


def saying(*replies):
    """A server that answers each line with the next of the replies, in the pieces given."""
    left = list(replies)

    def talk(connection):
        with connection.makefile('rb') as lines:
            for _ in lines:
                pieces = left.pop(0) if left else []
                for piece in [pieces] if isinstance(pieces, bytes) else pieces:
                    connection.sendall(piece)
                    time.sleep(0.002)  # they are read one by one, most likely
    return TalkingNode(talk)


class Pool(Case):
    def begin(self, nodes, *lines):
        self.proxy = self.start(Proxy(pool(nodes, *lines)))

    def nodes(self, count=1):
        return [self.start(Node()) for _ in range(count)]

    def ask(self, text):
        """Sends, closes the sending half, and returns all that comes."""
        with Peer(self.proxy) as peer:
            peer.socket.sendall(text)
            peer.socket.shutdown(socket.SHUT_WR)
            answer = b''
            try:
                while part := peer.socket.recv(65536):
                    answer += part
            except ConnectionResetError:
                pass
            return answer


class RealNodes(Pool):
    def test_order_over_three_nodes(self):
        self.begin(self.nodes(3))
        sets = b''.join(b'set k%d 0 0 3 noreply\r\n%03d\r\n' % (i, i) for i in range(200))
        gets = b''.join(b'get k%d\r\n' % i for i in range(200))
        want = b''.join(b'VALUE k%d 0 3\r\n%03d\r\nEND\r\n' % (i, i) for i in range(200))
        self.assertEqual(self.ask(sets + gets), want)

    def test_multiget_with_misses_and_duplicates(self):
        self.begin(self.nodes(3))
        sets = b''.join(b'set k%d 0 0 1 noreply\r\n%d\r\n' % (i, i) for i in range(9))
        want = b''.join(b'VALUE k%d 0 1\r\n%d\r\n' % (i, i) for i in (3, 1, 3, 8)) + b'END\r\n'
        self.assertEqual(self.ask(sets + b'get k3 none k1 k3 nix k8\r\n'), want)

    def test_dead_node_fails_only_its_keys(self):
        self.begin(self.nodes() + [self.start(Absent())])
        keys = [b'k%d' % i for i in range(30)]
        answers = self.ask(b''.join(b'get %s\r\n' % k for k in keys)).split(b'\r\n')[:-1]
        self.assertEqual(len(answers), 30)
        self.assertEqual(set(answers), {b'END', b'SERVER_ERROR Connection refused'})
        self.assertEqual(self.ask(b'get ' + b' '.join(keys) + b'\r\n'), b'END\r\n')

    def test_bad_input(self):
        self.begin(self.nodes())
        bad = b'CLIENT_ERROR bad command line format\r\n'
        self.assertEqual(self.ask(b'get a\0b\r\nget a\rb\r\nget ok\r\n'), bad + bad + b'END\r\n')
        self.assertEqual(self.ask(b'get x\nversion\n'), b'END\r\nVERSION 1.6.45\r\n')
        self.assertEqual(self.ask(b'flush_all\r\nfoo\r\nmn\r\n'), b'ERROR\r\nERROR\r\nMN\r\n')
        self.assertTrue(self.ask(b'set k 0 0 4294967297\r\n').startswith(b'CLIENT_ERROR'))
        self.assertEqual(self.ask(b'set k 0 0 1\r\nabcget k\r\n'),
                         b'CLIENT_ERROR bad data chunk\r\nEND\r\n')
        self.assertEqual(self.ask(b'GET / HTTP/1.1\r\nset k 0 0 1\r\na\r\n'), b'')
        self.assertEqual(self.ask(b'get k\r\n'), b'END\r\n')

    def test_quit_in_a_pipeline(self):
        self.begin(self.nodes())
        self.assertEqual(self.ask(b'get a\r\nquit\r\nget b\r\n'), b'END\r\n')

    def test_noreply_then_get(self):
        self.begin(self.nodes())
        self.assertEqual(
            self.ask(b'set a 5 0 1 noreply\r\nx\r\nget a\r\ndelete a noreply\r\nget a\r\n'),
            b'VALUE a 5 1\r\nx\r\nEND\r\nEND\r\n')

    def test_lengths_around_buffers(self):
        self.begin(self.nodes(2))
        for around in (2048, 16352, 65536, 131072):
            for size in range(around - 3, around + 4):
                value = random.randbytes(size)
                answer = self.ask(b'set v 0 0 %d\r\n%s\r\nget v\r\n' % (size, value))
                self.assertEqual(answer, b'STORED\r\nVALUE v 0 %d\r\n%s\r\nEND\r\n' % (size, value))

    def test_stats_and_drain(self):
        self.begin(self.nodes())
        self.ask(b'get a\r\n')
        with socket.create_connection(('127.0.0.1', self.proxy.stats_port), 20) as reader:
            stats = json.loads(b''.join(iter(lambda: reader.recv(65536), b'')))
        self.assertEqual(list(stats), ['service', 'source', 'version', 'uptime', 'timestamp',
                                       'total_connections', 'curr_connections', 'pool'])
        self.assertEqual(list(stats['pool'])[:7],
                         ['client_eof', 'client_err', 'client_connections', 'server_ejects',
                          'forward_error', 'fragments', 'node0'])
        self.assertEqual(stats['pool']['node0']['responses'], 1)
        self.proxy.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.proxy.process.wait(8), 0)


class FakeNodes(Pool):
    def begin_with(self, *replies, lines=()):
        self.begin([self.start(saying(*replies))], *lines)

    def test_timeout(self):
        self.begin_with(lines=['timeout: 150'])
        self.assertEqual(self.ask(b'get a\r\nget b\r\n'),
                         b'SERVER_ERROR Connection timed out\r\n' * 2)

    def test_hostile_replies(self):
        for reply in (b'VALUE zzz 0 1\r\nx\r\nEND\r\n',
                      b'VALUE a 0 1\r\nx\r\nVALUE a 0 1\r\nx\r\nEND\r\n',
                      b'VALUE a 0 1 7\r\nx\r\nEND\r\n',
                      b'VALUE ' + b'k' * 300 + b' 0 1\r\nx\r\nEND\r\n', b'STORED\r\n',
                      b'VALUE a 0 1\r\nxyzEND\r\n', b'x' * 100000):
            with self.subTest(reply=reply[:40]):
                self.begin_with(reply, lines=['timeout: 2000'])
                self.assertEqual(self.ask(b'get a\r\n'), b'SERVER_ERROR Invalid argument\r\n')

    def test_extra_value_in_a_multiget(self):
        self.begin_with(b'VALUE a 0 1\r\nx\r\nVALUE c 0 1\r\nx\r\nEND\r\n')
        self.assertEqual(self.ask(b'get a b\r\n'), b'SERVER_ERROR Invalid argument\r\n')

    def test_replies_in_two_pieces(self):
        reply = b'VALUE a 0 3\r\nxyz\r\nEND\r\n'
        self.begin_with(*[[reply[:cut], reply[cut:]] for cut in range(1, len(reply))])
        self.assertEqual(self.ask(b'get a\r\n' * (len(reply) - 1)), reply * (len(reply) - 1))

    def test_a_dead_server_is_ejected(self):
        self.begin([self.start(Absent()), self.start(saying(*[b'END\r\n'] * 99))],
                   'auto_eject_hosts: true', 'server_failure_limit: 1',
                   'server_retry_timeout: 60000')
        for i in range(20):
            self.ask(b'get k%d\r\n' % i)
        self.assertEqual(stats_of(self.proxy)['server_ejects'], 1)
        self.assertEqual(self.ask(b''.join(b'get k%d\r\n' % i for i in range(20))),
                         b'END\r\n' * 20)


if __name__ == '__main__':
    unittest.main()
