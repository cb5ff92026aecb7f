"""Recorded conversations, their requests and replies in pieces: a byte at a time, and cut in
two at every position. A piece follows when the last one was read: what a unix socket's peer
has not read yet can be asked for."""
import json
import os
import re
import sys
import tempfile
import unittest

import procs
from peer import Case
from cut import Knife, Relay, send_read

FOLDER = os.path.join(procs.ROOT, 'tests', 'transcripts')
sys.path.insert(0, FOLDER)
import play  # noqa: E402

play.SETTLE = 0
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


def goes_through_a_proxy(name):
    """Not what the proxy answers itself."""
    return not re.match('(flush|misc)/', name)


def length(steps, kind):
    """Bytes of all steps of a kind; matches count as one."""
    return sum(len(part) if isinstance(part, str) else part.get('n', 1) * len(part.get('rep', '.'))
               for step in steps for part in step.get(kind, []))


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


@unittest.skipIf(procs.BUILD.endswith('tsan'), 'one thread does all of this')
class Splits(Case):
    def setUp(self):
        super().setUp()
        directory = self.start(tempfile.TemporaryDirectory())
        self.path = os.path.join(directory, 'node')
        self.relayed = os.path.join(directory, 'relay')
        self.front = os.path.join(directory, 'proxy')
        self.node = self.start(procs.Node(unix_path=self.path))
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
            if path == self.front and not goes_through_a_proxy(name):
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
        self.start(procs.Proxy(
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
