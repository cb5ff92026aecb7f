"""Configurations that are wrong, huge or hostile. Each is told or taken; none is a crash.

The ids in the tests' texts are those of the catalogue of faults."""
import hashlib
import os
import random
import re
import struct
import subprocess
import tempfile
import unittest

from fakes import Wire
from procs import BUILD, ROOT, Proxy

SEED = int(os.environ.get('SEED', random.SystemRandom().randrange(1 << 32)))


def run(text, *arguments):
    """(status, what was said) of a proxy that only looks at its configuration."""
    with tempfile.NamedTemporaryFile(suffix='.yml') as file:
        file.write(text if isinstance(text, bytes) else text.encode())
        file.flush()
        done = subprocess.run([os.path.join(BUILD, 'cacheproxy'), '-c', file.name, *arguments],
                              capture_output=True, timeout=120)
    said = (done.stdout + done.stderr).decode(errors='replace')
    assert 'Sanitizer' not in said and 'runtime error' not in said, said
    return done.returncode, said


def with_servers(*servers):
    return 'a:\n  listen: 127.0.0.1:1\n  hash: md5\n  servers:\n' + ''.join(
        '    - "%s"\n' % server for server in servers)


class Names(unittest.TestCase):
    """P-22."""

    def ring_of(self, names):
        """Ketama in a few lines of its own: (point, name) in order."""
        points = []
        for name in names:
            for i in range(40):
                digest = hashlib.md5(b'%s-%d' % (name.encode(), i)).digest()
                points += [(point, name) for point in struct.unpack('<4I', digest)]
        return sorted(points)

    def check_ring(self, names, servers):
        ring = self.ring_of(names)
        keys = ['key%d' % i for i in range(60)]
        status, said = run(with_servers(*servers), '--explain', *keys)
        self.assertEqual(status, 0, said)
        for key, line in zip(keys, said.splitlines()):
            value = struct.unpack('<I', hashlib.md5(key.encode()).digest()[:4])[0]
            expected = next((name for point, name in ring if point >= value), ring[0][1])
            self.assertIn(", server '%s' (" % expected, line)

    def test_long_names_have_exactly_their_ring(self):
        for length in (255, 264):
            names = ['x' * (length - 1) + end for end in 'ab']
            self.check_ring(names, ['10.0.0.1:1:1 ' + name for name in names])

    def test_names_of_hosts_may_be_as_long_as_they_can_be(self):
        hosts = ['.'.join([letter * 63] * 3 + [letter * 61]) for letter in 'ab']
        self.assertEqual(len(hosts[0]), 253)
        self.check_ring([host + ':11212' for host in hosts], [host + ':11212:1' for host in hosts])

    def test_longer_ones_are_refused_and_not_cut_short(self):
        for length in (265, 272, 273, 4096):
            status, said = run(with_servers('10.0.0.1:1:1 ' + 'x' * length), '-t')
            self.assertEqual(status, 1)
            self.assertIn('has a name of more than 264 bytes', said)


class Addresses(unittest.TestCase):
    """L-02."""

    def test_odd_hosts_are_refused_or_hosts_that_do_not_resolve(self):
        for host in ('[' + '1' * 200, '[]', ']', '[::1', '1' * 300, '.', '..', ' ', '%', '::',
                     'a' * 64 + '.example.com', '1.2.3.4.5', '0x7f000001.', '::ffff:1.2.3.999'):
            status, said = run(with_servers(host + ':1:1'), '-t')
            self.assertIn(status, (0, 1), host)
            text = 'a:\n  listen: 127.0.0.1:%%d\n  timeout: 3000\n  servers: ["%s:1:1"]\n' % (
                host.replace('%', '%%'))
            if status == 0:
                with Proxy(text) as proxy, Wire(proxy) as wire:
                    self.assertTrue(wire.get(b'k').startswith(b'SERVER_ERROR '), host)
                    self.assertEqual(wire.ask(b'mn\r\n'), b'MN\r\n')

    def test_a_place_to_listen_must_be_one(self):
        for listen in (':1', '*:1', '[', '127.0.0.1', '127.0.0.1:', '127.0.0.1:65536', '/',
                       '/' + 'x' * 200, '/x 0999', 'localhost:-1'):
            status, said = run('a:\n  listen: "%s"\n  servers: ["h:1:1"]\n' % listen, '-t')
            if listen != '/':
                self.assertEqual(status, 1, listen)
                self.assertIn('listen', said)


class Files(unittest.TestCase):
    """L-03."""

    def test_files_that_are_no_configuration(self):
        good = with_servers('h:1:1').encode()
        for text in (b'', b'\0', b'\xff\xfe', b'\xef\xbb\xbf', good + b'\0', b'\x80' + good,
                     b'[' * 10000, b'{' * 10000, b'- ' * 10000, b'a:\n' * 2, b'*a', b'&a *a',
                     b'!!binary x', b'%YAML 9.9\n---\na: b', b'a: "\\x', b"a: '", b'? ' * 5000,
                     b'a: |\n' + b' x\n' * 1000):
            status, said = run(text, '-t')
            self.assertEqual(status, 1, text[:40])
            self.assertRegex(said, r':\d+:\d+: |NUL|empty', text[:40])

    def test_a_mark_of_its_encoding_is_no_fault(self):
        self.assertEqual(run(b'\xef\xbb\xbf' + with_servers('h:1:1').encode(), '-t')[0], 0)

    def test_four_megabytes(self):
        servers = ['10.%d.%d.%d:11211:1' % (i >> 16, i >> 8 & 255, i & 255) for i in range(20000)]
        status, said = run(with_servers(*servers), '-t')
        self.assertEqual(status, 0, said)
        status, said = run(b'# ' + b'x' * (4 << 20) + b'\n' + with_servers('h:1:1').encode(), '-t')
        self.assertIn(status, (0, 1))
        self.assertTrue(status == 0 or 'more than' in said)

    def test_any_change_to_a_good_file_is_told_or_taken(self):
        chance = random.Random(SEED)
        with open(os.path.join(ROOT, 'conf', 'cacheproxy.yml'), 'rb') as file:
            lines = [re.sub(rb'^  # (\w+:)', rb'  \1', line) for line in file.read().split(b'\n')]
        seed = b'\n'.join(line for line in lines if not line.strip().startswith(b'#')) + b'\n'
        outcomes = set()
        for _ in range(300):
            text = bytearray(seed)
            for _ in range(chance.randrange(1, 6)):
                at = chance.randrange(len(text))
                how = chance.randrange(4)
                if how == 0:
                    text[at] = chance.randrange(256)
                elif how == 1:
                    del text[at:at + chance.randrange(1, 20)]
                elif how == 2:
                    text[at:at] = bytes(text[at:at + chance.randrange(1, 60)])
                else:
                    text[at:at] = chance.choice((b'99999999999', b'-1', b'[', b'{', b'&a ', b'*a',
                                                 b'"', b'\t', b'\n', b':', b'%', b'\xc3'))
            status, said = run(bytes(text), '-t')
            self.assertIn(status, (0, 1), 'seed %d: %s' % (SEED, said))
            outcomes.add(status)
        self.assertIn(1, outcomes)


if __name__ == '__main__':
    unittest.main()
