"""What the tests of faults share: raw conversations with a node, and a look at whether it is as
well afterwards as it was before."""
import os
import resource
import socket
import struct
import time
import unittest

from peer import Peer
from procs import BUILD, Node, wait_until

PATIENCE_S = 20
PROMPT_S = 0.1
IS_TSAN = BUILD.endswith('tsan')
HEADER = struct.Struct('>BBHBBHIIQ')


def packet(code, key=b'', extras=b'', value=b'', **header):
    """A binary request; `key_len`, `extras_len` and `body_len` say other lengths than those."""
    return HEADER.pack(0x80, code, header.get('key_len', len(key)),
                       header.get('extras_len', len(extras)), 0, 0,
                       header.get('body_len', len(extras) + len(key) + len(value)),
                       header.get('opaque', 0), header.get('cas', 0)) + extras + key + value


def replies(data):
    """The statuses and bodies of a run of binary replies."""
    found = []
    while len(data) >= HEADER.size:
        _, _, _, _, _, status, body, _, _ = HEADER.unpack(data[:HEADER.size])
        found.append((status, data[HEADER.size:HEADER.size + body]))
        data = data[HEADER.size + body:]
    return found


class Talk(Peer):
    """A connection to a node, and what comes of it."""

    def __init__(self, node):
        super().__init__(node, PATIENCE_S)

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def line(self, data=b''):
        """The next line, after sending."""
        if data:
            self.send(data)
        try:
            return self.file.readline()
        except ConnectionResetError:
            return b''

    def lines(self, data, count):
        self.send(data)
        return [self.line() for _ in range(count)]

    def answer(self, data):
        """All lines until the one that answers a further `mn`."""
        self.send(data + b'mn\r\n')
        found = []
        while (line := self.line()) not in (b'MN\r\n', b''):
            found.append(line)
        return found if line else found + ['closed']

    def rest(self, data=b''):
        """All that comes until the node closes the connection."""
        self.send(data)
        found = b''
        try:
            while part := self.socket.recv(1 << 20):
                found += part
        except ConnectionResetError:
            pass
        return found

    def end(self, data):
        """The same after we have said that this was all."""
        self.send(data)
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return self.rest()

    def stats(self, word=b''):
        lines = self.answer(b'stats %s\r\n' % word)
        return {line.split()[1].decode(): line.split(b' ', 2)[2].strip().decode()
                for line in lines if line.startswith(b'STAT ')}


class Faults(unittest.TestCase):
    """Every node that a test starts has to be alive at its end: another client is answered
    promptly, and nothing is left of those that came and went."""

    def start(self, *arguments, **more):
        node = Node(*arguments, **more)
        self.addCleanup(node.stop)
        self.settle(node)
        node.descriptors_before = self.descriptors(node)
        self.addCleanup(self.check_alive, node, '-S' in arguments)
        return node

    def settle(self, node):
        """Waits until it serves, and whoever was connected is gone."""
        with Talk(node) as talk:
            talk.end(b'quit\r\n')
        counts = [-1]

        def is_stable():
            time.sleep(0.01)
            counts.append(self.descriptors(node))
            return len(set(counts[-3:])) == 1
        wait_until(is_stable)

    def descriptors(self, node):
        return len(os.listdir('/proc/%d/fd' % node.process.pid))

    def memory(self, node):
        """Resident bytes."""
        with open('/proc/%d/statm' % node.process.pid) as file:
            return int(file.read().split()[1]) * resource.getpagesize()

    def cpu_s(self, node):
        with open('/proc/%d/stat' % node.process.pid) as file:
            words = file.read().rsplit(')', 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf('SC_CLK_TCK')

    def check_alive(self, node, is_binary=False):
        self.assertIsNone(node.process.poll(), 'it has ended: ' + node.said())
        waits = []
        for _ in range(10):
            before = time.monotonic()
            with Talk(node) as talk:
                if is_binary:
                    talk.send(packet(0x0b))
                    self.assertEqual(talk.file.read(1), b'\x81')
                else:
                    self.assertRegex(talk.line(b'version\r\n'),
                                     b'^(VERSION|CLIENT_ERROR unauthenticated)')
            waits.append(time.monotonic() - before)
            if waits[-1] < PROMPT_S:
                break
        self.assertLess(min(waits), PROMPT_S, 'of ten, the promptest answer')
        wait_until(lambda: self.descriptors(node) <= node.descriptors_before)

    def talk(self, node):
        talk = Talk(node)
        self.addCleanup(talk.close)
        return talk
