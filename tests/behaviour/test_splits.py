"""Recorded conversations, their requests and replies in pieces: a byte at a time, and cut in
two at every position. A piece follows when the last one was read: what a unix socket's peer
has not read yet can be asked for."""
import contextlib
import fcntl
import json
import os
import re
import socket
import struct
import sys
import tempfile
import threading
import time
import unittest

import procs

FOLDER = os.path.join(procs.ROOT, 'tests', 'transcripts')
sys.path.insert(0, FOLDER)
import play  # noqa: E402

play.SETTLE = 0
SIOCOUTQ = 0x5411
GROUPS = 'storage|cas|get|gets|gat|gats|delete|arith|touch|pipe|large|flush|misc|m[gsdaen]|meta'
LENGTH_MAX = 250  # conversations longer than that are played a byte at a time alone
WHOLE_MAX = 2000   # and longer ones not at all: so long without its end, a line is no command



def conversations():
    """The cases of the groups that neither sleep nor look at statistics: (name, variants)."""
    with open(os.path.join(FOLDER, 'left-out')) as file:
        lines = [line.strip() for line in file if line.strip() and line[0] != '#']
    left_out = re.compile('^(%s)$' % '|'.join(lines))
    with open(os.path.join(FOLDER, 'default.txt'), encoding='utf-8') as file:
        for line in list(file)[1:]:
            case = json.loads(line)
            kinds = {kind for variant in case['variants'] for step in variant['steps']
                     for kind in step}
            if re.match('^(%s)/' % GROUPS, case['name']) and not left_out.match(case['name']) \
                    and not case.get('slow') and kinds <= {'send', 'recv', 'conn'}:
                yield case['name'], [variant['steps'] for variant in reversed(case['variants'])]


def goes_through_a_proxy(name, steps):
    """Not what the proxy answers itself, nor the meta commands."""
    said = b'\n'.join(play.build([part for part in step['send'] if 'ref' not in part], {})
                      for step in steps if 'send' in step)
    return not re.match('(flush|misc)/', name) and \
        not re.search(rb'^ *m[gsdae]\b', said, re.MULTILINE)


def length(steps, kind):
    """Bytes of all steps of a kind; matches count as one."""
    return sum(len(part) if isinstance(part, str) else part.get('n', 1) * len(part.get('rep', '.'))
               for step in steps for part in step.get(kind, []))


def send_read(connection, data, patience_s=20):
    """Sends, and waits until the peer has read it."""
    connection.sendall(data)
    until = time.monotonic() + patience_s
    while struct.unpack('i', fcntl.ioctl(connection, SIOCOUTQ, b'\0' * 4))[0] != 0:
        if time.monotonic() > until:
            raise AssertionError('it is not read')


class Knife:
    """Cuts a stream: everywhere, or at one place."""

    def __init__(self, place=None):
        self.place, self.done = place, 0

    def pieces(self, data):
        if self.place is None:
            return [data[i:i + 1] for i in range(len(data))]
        at, self.done = self.place - self.done, self.done + len(data)
        return [data[:at], data[at:]] if 0 < at < len(data) else [data]


class CuttingConn(play.Conn):
    knife = None

    def send(self, b):
        pieces = self.knife.pieces(b) if self.knife else [b]
        try:
            for piece in pieces[:-1]:
                send_read(self.k, piece)
            self.k.sendall(pieces[-1])
        except OSError:
            self.eof = True


play.Conn = CuttingConn


class Relay:
    """Stands before a node and cuts its replies."""

    def __init__(self, path, to):
        self.to, self.knife = to, None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                front, _ = self.listener.accept()
                back = socket.socket(socket.AF_UNIX)
                back.connect(self.to)
                threading.Thread(target=self.forward, args=(front, back), daemon=True).start()
                threading.Thread(target=self.answer, args=(back, front), daemon=True).start()

    @staticmethod
    def forward(front, back):
        with contextlib.suppress(OSError):
            while data := front.recv(1 << 16):
                back.sendall(data)
            back.shutdown(socket.SHUT_RDWR)

    def answer(self, back, front):
        with contextlib.suppress(OSError):
            while data := back.recv(1 << 16):
                for piece in self.knife.pieces(data) if self.knife else [data]:
                    send_read(front, piece)
            front.close()


@unittest.skipIf(procs.BUILD.endswith('tsan'), 'one thread does all of this')
class Splits(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        directory = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.path = os.path.join(directory, 'node')
        self.relayed = os.path.join(directory, 'relay')
        self.front = os.path.join(directory, 'proxy')
        self.node = self.stack.enter_context(procs.Node(unix_path=self.path))
        CuttingConn.knife = None
        self.addCleanup(setattr, CuttingConn, 'knife', None)

    def flush(self):
        play.flush({'unix': self.path}, 'unix')

    def passes(self, steps, path):
        self.flush()
        try:
            play.play_steps(steps, {'unix': path}, 'unix')
            return None
        except (play.Mismatch, OSError) as error:
            return str(error)

    def known(self, path):
        """The conversations with the variant that is spoken there."""
        for name, variants in conversations():
            if path == self.front and not goes_through_a_proxy(name, variants[0]):
                continue
            for play.TIMEOUT in (0.1, 20):  # what is not the variant spoken often ends in silence
                errors = [self.passes(steps, path) for steps in variants]
                if None in errors:
                    break
            self.assertIn(None, errors, name)
            yield name, variants[errors.index(None)]

    def play_cut(self, path, kind, set_knife):
        """Plays all, cut in all ways; `set_knife` gets a knife for what is of `kind`."""
        played, spoken = 0, list(self.known(path))
        play.TIMEOUT = 20
        for name, steps in spoken:
            total = length(steps, kind)
            knives = [Knife()] if total <= WHOLE_MAX else []
            if total <= LENGTH_MAX:
                knives += [Knife(place) for place in range(1, total)]
            for knife in knives:
                set_knife(knife)
                error = self.passes(steps, path)
                set_knife(None)
                self.assertIsNone(error, '%s, cut at %s' % (name, knife.place))
                played += 1
        return played

    @staticmethod
    def cut_requests(knife):
        CuttingConn.knife = knife

    def test_requests_to_a_node(self):
        self.assertGreater(self.play_cut(self.path, 'send', self.cut_requests), 8000)

    def start_proxy(self):
        relay = Relay(self.relayed, self.path)
        self.stack.callback(relay.listener.close)
        self.stack.enter_context(procs.Proxy(
            'pool:\n  listen: %s\n  servers:\n    - %s:1\n' % (self.front, self.relayed),
            unix_path=self.front))
        return relay

    def test_requests_to_a_proxy(self):
        self.start_proxy()
        self.assertGreater(self.play_cut(self.front, 'send', self.cut_requests), 5000)

    def test_replies_to_a_proxy(self):
        relay = self.start_proxy()
        self.assertGreater(self.play_cut(self.front, 'recv',
                                         lambda knife: setattr(relay, 'knife', knife)), 2000)


if __name__ == '__main__':
    unittest.main()
