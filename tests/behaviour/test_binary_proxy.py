"""Binary clients in front of text nodes: each opcode is answered as a node answers it, byte by
byte but for the CAS, whose numbers are each server's own."""
import os
import struct
import tempfile
import unittest

from cut import Knife, send_read
from fakes import TalkingNode
from peer import Case, Peer
from procs import Node, Proxy, pool

OPCODES = dict(GET=0, SET=1, ADD=2, REPLACE=3, DELETE=4, INCR=5, DECR=6, QUIT=7, FLUSH=8, GETQ=9,
               NOOP=10, VERSION=11, GETK=12, GETKQ=13, APPEND=14, PREPEND=15, STAT=16, SETQ=17,
               ADDQ=18, REPLACEQ=19, DELETEQ=20, INCRQ=21, DECRQ=22, QUITQ=23, FLUSHQ=24,
               APPENDQ=25, PREPENDQ=26, VERBOSITY=27, TOUCH=28, GAT=29, GATQ=30, SASL_LIST=32,
               SASL_AUTH=33, SASL_STEP=34, GATK=35, GATKQ=36)
FENCE = b'\xfe\xdc\xba\x98'
NO_TTL = 0xffffffff


def packet(name, key=b'', value=b'', extras=b'', cas=0, opaque=b'opaq', code=None):
    return struct.pack('>BBHBBHI4sQ', 0x80, OPCODES[name] if code is None else code, len(key),
                       len(extras), 0, 0, len(extras) + len(key) + len(value), opaque,
                       cas) + extras + key + value


def store(name, key, value, flags=0, ttl=0, cas=0):
    return packet(name, key, value, struct.pack('>II', flags, ttl), cas)


def number(name, key, delta, initial=0, ttl=0, cas=0):
    return packet(name, key, b'', struct.pack('>QQI', delta, initial, ttl), cas)


def timed(name, key, ttl):
    return packet(name, key, b'', struct.pack('>I', ttl))


class Reply:
    def __init__(self, head, body):
        self.head, self.body = head, body
        self.code, self.status = head[1], int.from_bytes(head[6:8], 'big')
        self.opaque, self.cas = head[12:16], int.from_bytes(head[16:24], 'big')
        self.value = body[head[4] + int.from_bytes(head[2:4], 'big'):]

    def without_cas(self):
        """A CAS is there, or is not."""
        return self.head[:16] + (b'<cas>' if self.cas else b'<no cas>') + self.body


class Wire(Peer):
    def read(self):
        head = self.file.read(24)
        if len(head) < 24:
            raise EOFError(head)
        return Reply(head, self.file.read(int.from_bytes(head[8:12], 'big')))

    def ask(self, *packets):
        """All replies that come before that to a NOOP behind the packets."""
        self.socket.sendall(b''.join(packets) + packet('NOOP', opaque=FENCE))
        return self.rest()

    def rest(self):
        replies = []
        while (reply := self.read()).opaque != FENCE:
            replies.append(reply)
        return replies


class AsANode(Case):
    """What a node answers, three behind a proxy answer."""

    def setUp(self):
        super().setUp()
        self.node = self.start(Node('-t', '1'))
        self.alone = self.start(Wire(self.node))
        self.proxy = self.start(Proxy(pool([self.start(Node('-t', '1')) for _ in range(3)])))
        self.wire = self.start(Wire(self.proxy))

    def check(self, *packets):
        """The replies of the proxy, which are those of the node."""
        return self.check_each(packets, packets)

    def check_each(self, to_node, to_proxy):
        theirs, ours = self.alone.ask(*to_node), self.wire.ask(*to_proxy)
        self.assertEqual([reply.without_cas() for reply in ours],
                         [reply.without_cas() for reply in theirs], to_proxy)
        return ours

    def test_stores_and_reads(self):
        for quiet in ('', 'Q'):
            for key in (b'k1', b'k2', b'a' * 250, b'with space', b'\0\r\n\xff', b' ', b'b' * 187,
                        b'=', b'-', bytes(range(1, 180))):
                for one in (
                        packet('GET' + quiet, key), packet('GETK' + quiet, key),
                        store('REPLACE' + quiet, key, b'x'), packet('APPEND' + quiet, key, b'x'),
                        packet('PREPEND' + quiet, key, b'x'), packet('DELETE' + quiet, key),
                        timed('TOUCH', key, 100), timed('GAT' + quiet, key, 100),
                        timed('GATK' + quiet, key, 100),
                        store('ADD' + quiet, key, b'added', 0xdeadbeef, 1000),
                        store('ADD' + quiet, key, b'again'),
                        packet('GET' + quiet, key), packet('GETK' + quiet, key),
                        store('SET' + quiet, key, b'', 1), packet('GET' + quiet, key),
                        packet('APPEND' + quiet, key, b'>'), packet('PREPEND' + quiet, key, b'<'),
                        packet('GETK' + quiet, key), store('REPLACE' + quiet, key, b'r' * 3000, 7),
                        timed('GAT' + quiet, key, 0), timed('GATK' + quiet, key, 2 ** 31),
                        store('SET' + quiet, key, b'new', 5, 60), timed('TOUCH', key, 100),
                        timed('GATK' + quiet, key, 100), packet('GET' + quiet, key),
                        store('SET' + quiet, key, b'wrong', cas=999999999),
                        store('REPLACE' + quiet, key, b'wrong', cas=999999999),
                        packet('APPEND' + quiet, key, b'wrong', cas=999999999),
                        packet('DELETE' + quiet, key, cas=999999999),
                        packet('GET' + quiet, key), packet('DELETE' + quiet, key),
                        packet('DELETE' + quiet, key), store('SET' + quiet, key, b'x', ttl=NO_TTL),
                        packet('GET' + quiet, key), timed('TOUCH', key, 2 ** 32 - 2),
                        packet('GET' + quiet, key), timed('GAT' + quiet, key, 2592001),
                        packet('GET' + quiet, key),
                        store('SET' + quiet, key, b'wrong', cas=999999999)):
                    self.check(one)

    def test_numbers(self):
        for quiet in ('', 'Q'):
            for key in (b'n', b'n with space'):
                for one in (
                        number('INCR' + quiet, key, 1, 5, NO_TTL), packet('GET', key),
                        number('INCR' + quiet, key, 1, 5), packet('GET', key),
                        number('INCR' + quiet, key, 10), number('DECR' + quiet, key, 3),
                        number('DECR' + quiet, key, 100), packet('GET', key),
                        number('INCR' + quiet, key, 2 ** 64 - 1),
                        number('INCR' + quiet, key, 2), packet('GET', key),
                        number('INCR' + quiet, key, 1, cas=999999999),
                        store('SET', key, b'text'), number('INCR' + quiet, key, 1),
                        number('DECR' + quiet, key, 1), packet('DELETE', key),
                        number('DECR' + quiet, key, 1, 2 ** 64 - 1, 1000), packet('GET', key),
                        packet('DELETE', key)):
                    self.check(one)

    def test_a_cas_is_good_once(self):
        for key in (b'k', b'k y'):
            for name, value in (('SET', b'2'), ('REPLACE', b'3'), ('APPEND', b'4'), ('ADD', b'5'),
                                ('DELETE', None)):
                def ask(cas):
                    return packet(name, key, cas=cas) if value is None else \
                        packet(name, key, value, cas=cas) if name == 'APPEND' else \
                        store(name, key, value, cas=cas)
                self.check(store('SET', key, b'1'))
                theirs = self.alone.ask(packet('GET', key))[0].cas
                ours = self.wire.ask(packet('GET', key))[0].cas
                for _ in range(2):
                    self.check_each([ask(theirs)], [ask(ours)])
                self.check(packet('GET', key))
            self.check(store('SET', key, b'10'))
            theirs = self.alone.ask(packet('GET', key))[0].cas
            ours = self.wire.ask(packet('GET', key))[0].cas
            for _ in range(2):
                self.check_each([number('INCR', key, 1, cas=theirs)],
                                [number('INCR', key, 1, cas=ours)])

    def test_what_the_proxy_answers_itself(self):
        for one in (packet('NOOP'), packet('VERSION'), packet('GET', code=0x50),
                    packet('GET', b'key', b'value', b'extr', code=0xff)):
            self.check(one)
        for name, key in (('FLUSH', b''), ('FLUSHQ', b''), ('VERBOSITY', b''), ('SASL_LIST', b''),
                          ('STAT', b'conns'), ('STAT', b'items' + b' ' * 200 + b'x'),
                          ('STAT', b' ' * 249 + b'x')):
            extras = b'\0\0\0\0' if name == 'VERBOSITY' else b''
            [reply] = self.wire.ask(packet(name, key, extras=extras))
            self.assertEqual((reply.code, reply.status, reply.value),
                             (OPCODES[name], 0x81, b'Unknown command'))

    def test_statistics_of_all_servers(self):
        keys = [b'key%d' % i for i in range(60)]
        self.check(*[store('SETQ', key, b'x') for key in keys])
        for key in b'', b'settings', b'items', b'slabs', b'items' + b' ' * 20:
            replies = self.wire.ask(packet('STAT', key))
            names = [reply.body[:-len(reply.value) or None] for reply in replies]
            self.assertEqual({reply.status for reply in replies}, {0})
            self.assertEqual((names[-1], replies[-1].value), (b'', b''))
            stats = dict(zip(names, [reply.value for reply in replies]))
            if key == b'':
                self.assertEqual((stats[b'curr_items'], stats[b'threads']), (b'60', b'3'))
        # No room is left for more than the longest of these words.
        for key in b'items' + b' ' * 240, b' ' * 245 + b'items':
            self.assertEqual(self.wire.ask(packet('STAT', key))[-1].status, 0x81)

    def test_a_flush_where_it_is_allowed(self):
        self.proxy = self.start(Proxy(pool([self.start(Node('-t', '1')) for _ in range(3)],
                                           'allow_flush_all: true')))
        self.wire = self.start(Wire(self.proxy))
        keys = [b'key%d' % i for i in range(60)]
        for flush in (packet('FLUSH'), packet('FLUSHQ'), packet('FLUSH', extras=b'\0' * 4),
                      packet('FLUSHQ', extras=b'\0\0\x0f\xff'),
                      packet('FLUSH', extras=b'\xff\xff\xff\xff')):
            self.check(*[store('SETQ', key, b'x') for key in keys])
            self.check(packet('GET', b'key1'), flush)
            self.check(*[packet('GETKQ', key) for key in keys])

    def test_quit(self):
        for name, replies in (('QUIT', 1), ('QUITQ', 0)):
            with Wire(self.node) as alone, Wire(self.proxy) as wire:
                for one in (alone, wire):
                    one.socket.sendall(store('SET', b'q', b'v') + packet('GET', b'q')
                                       + packet(name) + packet('GET', b'q'))
                    got = [one.read() for _ in range(2 + replies)]
                    self.assertEqual((got[1].value, got[-1].status), (b'v', 0))
                    self.assertTrue(one.is_closed())

    def test_packets_that_make_no_sense_close_the_connection(self):
        for bad in (packet('GET', b'k' * 251), packet('GET'), packet('GET', b'k', b'value'),
                    packet('SET', b'k', b'v'), packet('GET', b'k', b'', b'extr'),
                    packet('INCR', b'k', b'', b'\0' * 8), packet('NOOP', b'k'),
                    packet('VERSION', b'', b'x'), packet('DELETE', b'k', b'v')):
            with Wire(self.node) as alone, Wire(self.proxy) as wire:
                replies = []
                for one in (alone, wire):
                    one.socket.sendall(bad)
                    replies.append(one.read().without_cas())
                    self.assertTrue(one.is_closed(), bad[:40])
                self.assertEqual(replies[0], replies[1], bad[:40])
        huge = packet('SET', b'k')[:8] + b'\xff' * 4
        for bad in (b'\x81' + b'\0' * 23, b'get k\r\n' + b'\0' * 20, huge + b'\0' * 12):
            with Wire(self.proxy) as wire:
                self.assertEqual(wire.ask(), [])
                wire.socket.sendall(bad)
                if bad.startswith(huge):
                    self.assertEqual(wire.read().status, 4)
                self.assertTrue(wire.is_closed(), bad)

    def test_values_of_all_sizes(self):
        for size in (0, 1, 2000, 2047, 2048, 2049, 16384, 65500, 65536, 131072, 500000, 1000000):
            value = os.urandom(size)
            self.check(store('SET', b'k', value, 3))
            self.check(packet('GET', b'k'))
            self.check(packet('GETKQ', b'k'), packet('GETK', b'none'))
        self.check(store('SET', b'k', b'x' * 2000000))
        self.check(store('SETQ', b'k', b'x' * 2000000))
        self.check(packet('GET', b'k'))

    def test_quiet_reads_of_many_keys_end_at_the_fence(self):
        keys = [b'key%d' % i for i in range(1000)]
        self.check(*[store('SETQ', key, b'of ' + key) for key in keys[::3]])
        replies = self.check(*[packet('GETKQ', key) for key in keys])
        self.assertEqual([reply.value for reply in replies], [b'of ' + key for key in keys[::3]])

    def test_packets_in_pieces(self):
        data = (store('SET', b'k', b'value', 9) + packet('GETK', b'k') + packet('GETQ', b'none')
                + number('INCR', b'n p', 1, 5) + packet('APPENDQ', b'k', b'+') + packet('GET', b'k')
                + packet('DELETE', b'k') + packet('DELETE', b'n p') + packet('NOOP', opaque=FENCE))
        path = os.path.join(self.start(tempfile.TemporaryDirectory()), 'front')
        front = self.start(Proxy('pool:\n  listen: %s\n  servers:\n    - 127.0.0.1:%d:1\n' % (
            path, self.node.port), unix_path=path))
        expected = None
        for knife in [Knife(len(data) + 1), Knife()] + [Knife(i) for i in range(1, len(data))]:
            with Wire(front) as wire:
                for piece in knife.pieces(data):
                    send_read(wire.socket, piece)
                replies = [reply.without_cas() for reply in wire.rest()]
            expected = expected or replies
            self.assertEqual(replies, expected, knife.place)
        self.assertEqual(len(expected), 6)


class Servers(Case):
    def test_a_dead_server_is_told_of_also_to_the_quiet(self):
        node = self.start(Node())
        wire = self.start(Wire(self.start(Proxy(pool([node])))))
        node.kill()
        [reply] = wire.ask(packet('STAT'))
        self.assertEqual((reply.status, reply.value), (0x84, b'SERVER_ERROR Connection refused'))
        for one in (packet('GET', b'k'), packet('GETKQ', b'k'), store('SETQ', b'k', b'v'),
                    packet('DELETEQ', b'k'), number('INCRQ', b'k', 1), timed('GATQ', b'k', 1)):
            [reply] = wire.ask(one)
            self.assertEqual((reply.status, reply.value, reply.code, reply.opaque),
                             (0x84, b'Connection refused', one[1], b'opaq'))

    def test_replies_that_are_none_are_the_servers_fault(self):
        said = [b'']

        def talk(connection):
            for _ in connection.makefile('rb'):
                connection.sendall(said[0])
        wire = self.start(Wire(self.start(Proxy(pool([self.start(TalkingNode(talk))],
                                                     'timeout: 3000')))))
        for said[0] in (b'VALUE k 0 1\r\nx\r\nEND\r\n', b'VA x\r\n', b'STORED\r\n', b'MN\r\n',
                        b'VA 1 f99999999999 c1\r\nx\r\n', b'VA 1 f1 cX\r\nx\r\n', b'NF\r\n',
                        b'VA 1 f0 c1\r\nxyz\r\n', b'nonsense\r\n'):
            [reply] = wire.ask(packet('GET', b'k'))
            self.assertEqual((reply.status, reply.value), (0x84, b'Invalid argument'), said)
        for said[0], status, text in (
                (b'SERVER_ERROR out of memory storing object\r\n', 0x82, b'Out of memory'),
                (b'SERVER_ERROR no\r\n', 0x84, b'SERVER_ERROR no'),
                (b'CLIENT_ERROR invalid flag\r\n', 0x84, b'CLIENT_ERROR invalid flag'),
                (b'ERROR\r\n', 0x84, b'ERROR')):
            [reply] = wire.ask(packet('GETQ', b'k'))
            self.assertEqual((reply.status, reply.value), (status, text))


if __name__ == '__main__':
    unittest.main()
