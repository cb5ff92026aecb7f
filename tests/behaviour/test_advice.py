"""What a proxy tells about its configuration: warnings at the start, and where keys go."""
import contextlib
import os
import re
import subprocess
import tempfile
import unittest

from client import Client
from procs import BUILD, Node, Proxy, pool

CLUMPING = """
a:
  listen: 127.0.0.1:%d
  servers: [ "127.0.0.1:1:100000 big", "127.0.0.1:2:1 small" ]
"""


def run(text, *arguments):
    """(status, stdout, stderr) of a proxy that only looks at its configuration."""
    with tempfile.NamedTemporaryFile('w', suffix='.yml') as file:
        file.write(text)
        file.flush()
        done = subprocess.run([os.path.join(BUILD, 'cacheproxy'), '-c', file.name, *arguments],
                              capture_output=True, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Warnings(unittest.TestCase):
    def check(self, said):
        self.assertIn("pool 'a': hash fnv1a_64 with ketama sends keys that differ in their last "
                      'characters to the same server', said)
        self.assertIn("pool 'a': server 'small' gets no key", said)

    def test_the_test_of_a_configuration_prints_them_and_passes(self):
        status, _, said = run(CLUMPING % 1, '-t')
        self.assertEqual(status, 0)
        self.assertIn('syntax is ok', said)
        self.check(said)

    def test_the_start_logs_them(self):
        with Proxy(CLUMPING) as proxy:
            self.check(proxy.said())

    def test_nothing_is_said_of_a_good_one(self):
        text = 'a:\n  listen: 127.0.0.1:1\n  hash: xxh3\n  servers: [ "h:1:1", "h:2:1" ]\n'
        self.assertNotIn('warning', run(text, '-t')[2])


class Explain(unittest.TestCase):
    def test_a_key_is_where_it_is_said_to_be(self):
        with contextlib.ExitStack() as stack:
            nodes = [stack.enter_context(Node()) for _ in range(3)]
            direct = [stack.enter_context(contextlib.closing(Client(node))) for node in nodes]
            keys = ['user:%d' % i for i in range(30)]
            for distribution in ('ketama', 'modula', 'maglev', 'rendezvous'):
                text = pool(nodes, 'hash_tag: "{}"').replace('ketama', distribution)
                status, said, _ = run(text % 1, '--explain', *keys)
                self.assertEqual(status, 0)
                lines = said.splitlines()
                self.assertEqual(len(lines), len(keys))
                with Proxy(text) as proxy, contextlib.closing(Client(proxy)) as client:
                    for key, line in zip(keys, lines):
                        self.assertEqual(client.set_all([key.encode()], b'x'), (1, set()))
                        found = [bool(node.count_found([key.encode()], b'x')) for node in direct]
                        home = re.fullmatch(
                            r"pool 'pool', key '%s': hash murmur of '%s' is 0x[0-9a-f]{8}, %s "
                            r"place \d+ of \d+( at 0x[0-9a-f]{8})?, server 'node(\d)' \(.*\)"
                            % (key, key, distribution), line)
                        self.assertTrue(home, line)
                        self.assertEqual(found, [i == int(home.group(2)) for i in range(3)])
                        client.ask('delete ' + key)

    def test_tags_odd_bytes_and_what_is_not_hashed(self):
        head = 'a:\n  listen: 127.0.0.1:1\n  hash: md5\n'
        two = '  servers: [ "h:1:1", "h:2:1" ]\n'
        said = run(head + '  hash_tag: "{}"\n' + two, '--explain', 'x{t}y', '--', '-c d\x07')[1]
        self.assertIn("key 'x{t}y': hash md5 of 't' is ", said)
        self.assertIn(r"key '-c\x20d\x07': hash md5 of ", said)
        said = run(head + '  servers: [ "h:1:1 only" ]\n', '--explain', 'x')[1]
        self.assertIn("not hashed, server 'only' (h:1:1 only)", said)
        said = run(head + '  distribution: random\n' + two, '--explain', 'x')[1]
        self.assertIn('not hashed, any of 2 servers', said)

    def test_without_a_key_and_with_a_word_too_many_it_is_refused(self):
        self.assertEqual(run('', '--explain')[0], 1)
        self.assertIn('requires a key', run('', '--explain')[2])
        self.assertEqual(run('', 'word')[0], 1)
        self.assertIn("'word' is not an option", run('', 'word')[2])


if __name__ == '__main__':
    unittest.main()
