"""Random commands to Debian's memcached and to a cachenode, or to three behind a cacheproxy:
the answers are the same.

SEED=n replays a run; COMMANDS=n makes it longer. What differs by design is masked: error
texts (memcached's changed between versions; a refusal is a refusal) and, where it says so
below, what a side cannot do."""
import contextlib
import os
import random
import re
import shutil
import socket
import unittest

import procs
from procs import Node, Proxy, memcached, pool

SEED = int(os.environ.get('SEED', random.SystemRandom().randrange(1 << 32)))
COMMANDS = int(os.environ.get('COMMANDS', '80000'))
RUN_MAX = 50
KEYS = ['k%d' % i for i in range(12)] + ['a' * 250, 'key:with:colons', '\xe9\xff'] 
# Numbers have keys of their own: whether memcached writes one in place, padded, depends on who
# still reads it, and its length must make no difference.
NUMBER_KEYS = ['n0', 'n1', 'n2', 'n3']
NUMBERS = ['0', '1', '5', '00', '65535', '4294967295', '+7']
TIMES = ['0', '0', '0', '1000', '-1', '2592000', '2592001', '4000000000']
VALUES = ['', 'x', '0', '18446744073709551615', 'abc', ' 12', '0' * 20, 'v' * 100, 'w' * 1000, 'END', 'STORED\r\n', '\0\1']


class Generator:
    """Commands, two of five of them mutated."""

    def __init__(self, seed, kinds, has_cas):
        self.random = random.Random(seed)
        self.kinds, self.has_cas = kinds, has_cas

    def pick(self, things):
        return self.random.choice(things)

    def store(self):
        name = self.pick(['set', 'set', 'set', 'add', 'replace', 'append', 'prepend']
                         + ['cas'] * self.has_cas)
        value = self.pick(VALUES)
        key = self.pick(KEYS)
        if name not in ('append', 'prepend') and self.random.random() < 0.3:
            key, value = self.pick(NUMBER_KEYS), self.pick(['0', '7', '41', '999', ' 12', 'abc'])
        words = [name, key, self.pick(['0', '0', '9', '4294967295']),
                 self.pick(TIMES), str(len(value))]
        if name == 'cas':
            words.append(str(self.random.randrange(1, 2000)))
        return words, value

    def get(self):
        return [self.pick(['get', 'gets']), self.pick(KEYS + NUMBER_KEYS)], None

    def multiget(self):
        return [self.pick(['get', 'gets']), *self.random.choices(KEYS, k=5)], None

    def touch(self):
        words = self.pick([['gat'], ['gats'], ['touch']])
        key, ttl = self.pick(KEYS), self.pick(TIMES)
        return words + ([key, ttl] if words == ['touch'] else [ttl, key]), None

    def change(self):
        return self.pick([['delete', self.pick(KEYS + NUMBER_KEYS)],
                          ['incr', self.pick(NUMBER_KEYS), self.pick(NUMBERS)],
                          ['decr', self.pick(NUMBER_KEYS), self.pick(NUMBERS)]]), None

    def meta(self):
        key = self.pick(KEYS[:12])
        flags = self.random.sample(['k', 'O1', 'q', 'f', 's', 't', 'v', 'c', 'h'], 3)
        value = self.pick(VALUES)
        modes = ['MS', 'ME', 'MA', 'MP', 'MR', 'F5', 'T0', 'T900', 'k', 'O2', 'q']
        return self.pick([
            (['mg', key, *flags, *self.pick([[], ['N30'], ['R2000'], ['T500'], ['u']])], None),
            (['ms', key, str(len(value)), *dict.fromkeys(self.random.sample(modes, 2))], value),
            (['md', key, *self.pick([['q'], ['I', 'T30'], ['k', 'O9'], []])], None),
            (['ma', self.pick(NUMBER_KEYS), *self.pick([['v'], ['MD', 'D3'], ['N0', 'J7', 'v'], ['q'],
                                                     ['N2592001', 'J7', 'v'],
                                                     ['N0', 'J7', 'C999999999', 'v'], []])], None)])

    def mutate(self, words):
        """Words stay as many as they are: what a wrong number of them does has changed between
        versions, and so has what a storage command with a bad length swallows."""
        words = list(words)
        at = self.random.randrange(2 if re.match('m[a-z]$', words[0]) else len(words))
        how = 1 if words[1:2] and words[1] in NUMBER_KEYS and at == 1 else self.random.randrange(4)
        if how == 0 and at != 4:
            words[at] = self.pick(['abc', '-1', '1.5', '99999999999999999999999', '!'])
        elif how == 1:
            words[at] = ' ' * self.random.randrange(3) + words[at]
        elif how == 2:
            words[at] = words[at].encode('latin-1').upper().decode('latin-1')
        elif at != 4:
            # Not a digit more: flags beyond 32 bits are refused here, and wrap there.
            words[at] += self.pick(['x', ' '])
        return words

    def command(self):
        words, value = getattr(self, self.pick(self.kinds))()
        if self.random.random() < 0.4:
            words = self.mutate(words)
        text = ' '.join(words) + '\r\n' + ('' if value is None else value + '\r\n')
        return text.encode('latin-1')


class Side:
    """A server that answers runs of commands, each followed by mn."""

    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port), 30)

    def ask(self, commands):
        self.socket.sendall(b''.join(command + b'mn\r\n' for command in commands))
        answer = b''
        while answer.count(b'MN\r\n') < len(commands):
            data = self.socket.recv(1 << 18)
            if not data:
                raise AssertionError('closed after %r' % answer[-200:])
            answer += data
        return masked(answer).split(b'MN\r\n')

    def close(self):
        self.socket.close()


ERRORS = re.compile(rb'^((ERROR|CLIENT_ERROR .*|SERVER_ERROR .*)\r\n)+', re.MULTILINE)
PADDED = re.compile(rb'^(VALUE n\d \d+) \d+(.*\r\n)(\d+) +\r\n', re.MULTILINE)
EXACT = re.compile(rb'^(VALUE n\d \d+) \d+(.*\r\n\d+)\r\n', re.MULTILINE)
CAS = re.compile(rb'^(VALUE \S+ \d+ (?:\d+|<n>)) \d+(?=\r\n)', re.MULTILINE)
META_CAS = re.compile(rb'^((?:HD|VA (?:\d+))(?: [^ c\r][^ \r]*)*) c\d+', re.MULTILINE)
SECONDS = re.compile(rb'(?<= t)\d+')


def masked(answer):
    """Errors are errors, and two if a refused command's value was not swallowed, which has
    changed between versions; seconds go by."""
    answer = EXACT.sub(rb'\1 <n>\2\r\n', PADDED.sub(rb'\1 <n>\2\3\r\n', answer))
    return SECONDS.sub(b'<s>', ERRORS.sub(b'<error>\r\n', answer))


def without_cas(answer):
    return META_CAS.sub(rb'\1 <cas>', CAS.sub(rb'\1 <cas>', answer))


@unittest.skipUnless(shutil.which('memcached'), 'needs memcached')
@unittest.skipIf(procs.BUILD.endswith('tsan'), 'one thread answers')
class Differential(unittest.TestCase):
    def compare(self, theirs, ours, kinds, has_cas=True):
        """Without `has_cas` the numbers of several servers differ from those of one."""
        generator = Generator(SEED, kinds, has_cas)
        with contextlib.closing(Side(theirs)) as they, contextlib.closing(Side(ours)) as we:
            run = []
            for number in range(COMMANDS):
                command = generator.command()
                if len(run) == RUN_MAX:
                    self.compare_run(they, we, run, number, has_cas)
                    run = []
                run.append(command)

    def compare_run(self, they, we, run, number, has_cas):
        for command, theirs, ours in zip(run, they.ask(run), we.ask(run)):
            if not has_cas:
                theirs, ours = without_cas(theirs), without_cas(ours)
            self.assertEqual(theirs, ours, 'SEED=%d, before command %d: %r' % (
                SEED, number, command))

    def test_a_node_and_memcached(self):
        with memcached() as theirs, Node('-t', '1') as ours:
            self.compare(theirs, ours.port,
                         ['store', 'get', 'multiget', 'touch', 'change', 'meta'])

    def test_three_nodes_behind_a_proxy_and_one_memcached(self):
        with contextlib.ExitStack() as stack:
            theirs = stack.enter_context(memcached())
            nodes = [stack.enter_context(Node('-t', '1')) for _ in range(3)]
            ours = stack.enter_context(Proxy(pool(nodes)))
            self.compare(theirs, ours.port, ['store', 'get', 'multiget', 'touch', 'change'],
                         has_cas=False)


if __name__ == '__main__':
    unittest.main()
