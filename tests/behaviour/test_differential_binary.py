"""Random packets of the binary protocol to Debian's memcached and to a cachenode, or to three
behind a cacheproxy: the answers, and whether the connection is closed after them, are the same.

SEED=n replays a run; COMMANDS=n makes it longer. What differs by design is not sent, or masked,
each where it says so below."""
import contextlib
import os
import random
import shutil
import socket
import struct
import unittest

import procs
from procs import Node, Proxy, memcached, pool

SEED = int(os.environ.get('SEED', random.SystemRandom().randrange(1 << 32)))
COMMANDS = int(os.environ.get('COMMANDS', '80000'))
RUN_MAX = 50
PATIENCE_S = 20
HEADER = struct.Struct('>BBHBBHIIQ')
REQUEST, NOOP, VERSION, STAT = 0x80, 0x0a, 0x0b, 0x10
END_OPAQUE = 0xe0d0e0d0
END = HEADER.pack(REQUEST, NOOP, 0, 0, 0, 0, 0, END_OPAQUE, 0)
KEYS = [b'k%d' % i for i in range(8)] + [b'a' * 250, b'sp ace', b'\0\r\n\xff']
# Of no length is none of these: of such a number memcached says first that it is none, whatever
# its CAS.
NUMBER_KEYS = [b'n0', b'n1', b'n2']
VALUES = [b'', b'x', b'0', b'18446744073709551615', b'12 ', b'v' * 100, b'w' * 3000, b'\0\r\n']
TIMES = [0, 0, 0, 1000, 2592000, 2592001, 4000000000, 0xffffffff]
STORES = [0x01, 0x01, 0x11, 0x02, 0x12, 0x03, 0x13]
JOINS = [0x0e, 0x0f, 0x19, 0x1a]
GETS = [0x00, 0x09, 0x0c, 0x0d]
COUNTS = [0x05, 0x06, 0x15, 0x16]
TOUCHES = [0x1c, 0x1d, 0x1e, 0x23, 0x24]
# What stands for nothing: the opcodes that neither of the two knows.
UNKNOWN = [0x1b, 0x1f, 0x25, 0x30, 0x3d, 0x40, 0x50, 0x7f, 0x80, 0xff]


KEY_MAX = 250
ENCODED_MAX = 186  # of a key that is no word of text, when a proxy passes it on


class Packet:
    """A request; `lengths` replace those of key, extras and body in its header."""

    def __init__(self, code, key=b'', extras=b'', value=b'', cas=0):
        self.magic, self.code, self.cas = REQUEST, code, cas
        self.key, self.extras, self.value = key, extras, value
        self.type = self.bucket = self.opaque = 0
        self.lengths = {}

    def bytes(self):
        lengths = dict(key=len(self.key), extras=len(self.extras),
                       body=len(self.key) + len(self.extras) + len(self.value))
        lengths.update(self.lengths)
        return HEADER.pack(self.magic, self.code, lengths['key'], lengths['extras'], self.type,
                           self.bucket, lengths['body'], self.opaque,
                           self.cas) + self.extras + self.key + self.value


class Generator:
    """Packets, two of five of them mutated. Without `is_whole` none that a proxy does not serve,
    and no CAS that may be one of a server's."""

    def __init__(self, seed, is_whole=True):
        self.random = random.Random(seed)
        self.is_whole = is_whole

    def pick(self, things):
        return self.random.choice(things)

    def cas(self):
        if self.random.random() >= 0.2:
            return 0
        return self.random.randrange(1, 3000) if self.is_whole else 1 << 60

    def store(self):
        extras = struct.pack('>II', self.pick([0, 7, 0xffffffff]), self.pick(TIMES))
        if self.random.random() < 0.3:
            value = self.pick([b'0', b'7', b'41', b'999', b'abc', b'18446744073709551615'])
            return Packet(self.pick(STORES), self.pick(NUMBER_KEYS), extras, value, self.cas())
        return Packet(self.pick(STORES), self.pick(KEYS), extras, self.pick(VALUES), self.cas())

    def join(self):
        return Packet(self.pick(JOINS), self.pick(KEYS), b'', self.pick(VALUES), self.cas())

    def get(self):
        return Packet(self.pick(GETS), self.pick(KEYS + NUMBER_KEYS))

    def touch(self):
        return Packet(self.pick(TOUCHES), self.pick(KEYS), struct.pack('>I', self.pick(TIMES)))

    def delete(self):
        return Packet(self.pick([0x04, 0x14]), self.pick(KEYS + NUMBER_KEYS), cas=self.cas())

    def count(self):
        extras = struct.pack('>QQI', self.pick([0, 1, 5, 1 << 40, (1 << 64) - 1]),
                             self.pick([0, 3, (1 << 64) - 1]), self.pick(TIMES))
        return Packet(self.pick(COUNTS), self.pick(NUMBER_KEYS), extras,
                      cas=self.cas())

    def other(self):
        if not self.is_whole:
            return Packet(self.pick([NOOP, VERSION] + UNKNOWN))
        return self.pick([Packet(NOOP), Packet(VERSION), Packet(STAT, b'nonsense'),
                          Packet(self.pick(UNKNOWN)), Packet(0x20), Packet(0x21, b'PLAIN', b'', b''),
                          Packet(0x08 if self.random.random() < 0.05 else NOOP)])

    def mutate(self, packet):
        """The bytes that are sent stay as many as the header says, or the end would be taken for
        a value and never come. An unknown opcode has no body, which memcached swallows twice; nor
        do those of touch and stat have a value, which it takes for the next packet."""
        how = self.random.randrange(8)
        if how == 0:
            packet.type, packet.bucket = self.pick([1, 255]), self.pick([1, 0xffff])
        elif how == 1:
            packet.cas = (1 << 64) - 1
            if self.is_whole:
                packet.cas = self.pick([1, packet.cas, self.random.randrange(3000)])
        elif how == 2:
            packet.code = self.pick(UNKNOWN)
        elif how == 3:
            packet.key = self.pick([b'', b'n8' if packet.code in COUNTS else b'x', b'b' * 251,
                                    b'c' * 1000])
        elif how == 4:
            packet.extras = self.pick([b'', b'\0', bytes(4), bytes(8), bytes(20), bytes(255)])
        elif how == 5:
            packet.value = self.pick([b'x', b'y' * 500])
        elif how == 6:
            self.move_borders(packet)
        else:
            packet.magic = self.pick([0, 0x81, 0x7f, 0xff])
        if packet.code in UNKNOWN:
            packet.key = packet.extras = packet.value = b''
            packet.lengths = {}
        if packet.code in TOUCHES + [STAT]:
            packet.value, packet.lengths = b'', {}
        if packet.code == STAT:
            packet.key = b'nonsense'
        return packet

    def move_borders(self, packet):
        """Between extras, key and value, but not beyond the end: there memcached 1.6.18 waits for
        more, and later ones refuse it."""
        body = len(packet.extras) + len(packet.key) + len(packet.value)
        extras = self.random.randrange(min(body, 255) + 1)
        key = self.random.randrange(body - extras + 1)
        if self.is_whole or not ENCODED_MAX < key <= KEY_MAX:
            packet.lengths = {'extras': extras, 'key': key}

    def packet(self):
        """A packet, and whether it was mutated."""
        kind = self.pick([self.store, self.store, self.get, self.get, self.join, self.touch,
                          self.delete, self.count, self.other])
        packet = kind()
        packet.opaque = self.random.randrange(1 << 31)
        is_mutated = self.random.random() < 0.4
        return (self.mutate(packet) if is_mutated else packet).bytes(), is_mutated


class Side:
    """A server that answers packets, each followed by a noop."""

    has_cas = True  # else only whether there is one is told

    def __init__(self, port):
        self.port = port
        self.connect()

    def connect(self):
        self.socket = socket.create_connection(('127.0.0.1', self.port), PATIENCE_S)
        self.file = self.socket.makefile('rb')
        # The first byte tells that it is binary that is spoken, and stays so.
        self.socket.sendall(END)
        self.file.read(HEADER.size)

    def close(self):
        self.file.close()
        self.socket.close()

    def ask(self, packets):
        """The answers to each, until the connection is closed."""
        self.socket.sendall(b''.join(packet + END for packet in packets))
        return [self.answers() for _ in packets]

    def answers(self):
        found = []
        while True:
            try:
                header = self.file.read(HEADER.size)
            except ConnectionResetError:
                header = b''
            if len(header) < HEADER.size:
                self.close()
                self.connect()
                return found + ['closed']
            magic, code, key_len, extras_len, kind, status, body_len, opaque, cas = \
                HEADER.unpack(header)
            body = self.file.read(body_len)
            if (code, opaque) == (NOOP, END_OPAQUE):
                return found
            key = body[extras_len:extras_len + key_len]
            found.append((magic, code, kind, status, opaque,
                          cas if self.has_cas else cas != 0, body[:extras_len], key,
                          masked(code, key, body[extras_len + key_len:])))


def masked(code, key, value):
    """Versions differ; and whether memcached writes a number in place, padded, depends on who
    still reads it."""
    if code == VERSION:
        return b'<version>'
    return value.rstrip(b' ') if value[:1].isdigit() else value


@unittest.skipUnless(shutil.which('memcached'), 'needs memcached')
@unittest.skipIf(procs.BUILD.endswith('tsan'), 'one thread answers')
class Differential(unittest.TestCase):
    def test_a_node_and_memcached(self):
        with memcached() as theirs, Node('-t', '1') as ours:
            self.compare_all(theirs, ours.port, True)

    def test_three_nodes_behind_a_proxy_and_one_memcached(self):
        with contextlib.ExitStack() as stack:
            theirs = stack.enter_context(memcached())
            nodes = [stack.enter_context(Node('-t', '1')) for _ in range(3)]
            ours = stack.enter_context(Proxy(pool(nodes)))
            self.compare_all(theirs, ours.port, False)

    def compare_all(self, theirs, ours, is_whole):
        generator = Generator(SEED, is_whole)
        with contextlib.closing(Side(theirs)) as they, contextlib.closing(Side(ours)) as we:
            they.has_cas = we.has_cas = is_whole
            run = []
            for number in range(COMMANDS):
                packet, is_mutated = generator.packet()
                # One that may close the connection is sent alone.
                if run and (is_mutated or len(run) == RUN_MAX):
                    self.compare(they, we, run, number)
                    run = []
                run.append(packet)
                if is_mutated:
                    self.compare(they, we, run, number)
                    run = []

    def compare(self, they, we, run, number):
        for packet, theirs, ours in zip(run, they.ask(run), we.ask(run)):
            self.assertEqual(theirs, ours, 'SEED=%d, before command %d: %r' % (
                SEED, number, packet))


if __name__ == '__main__':
    unittest.main()
