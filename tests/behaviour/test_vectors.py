"""Recorded mappings, end to end: the running proxy sends each key where nutcracker did.

Fake nodes answer every get with their own name. The sets are those of tests/vectors/README.md;
in one of them a server is down, and was ejected before the recording."""
import csv
import os
import socket
import tempfile
import threading
import unittest

from procs import ROOT, Program, free_port

VECTORS = os.path.join(ROOT, 'tests', 'vectors')
NAMED = ['zeta', 'b', 'cache-node-three', 'aa', 'Node_4']
# Names as servers are given them in the pool, and weights; unix names keep their address's shape.
SETS = {
    'named': ([(name, 1) for name in NAMED], None),
    'named_weighted': (list(zip(NAMED, (10, 1, 4, 4, 25))), None),
    'tag_braces': ([(name, 1) for name in NAMED], '{}'),
    'tag_dollar': ([('s1', 3), ('s2', 2), ('s3', 1)], '$$'),
    'equal': ([(name, 1) for name in ('127.0.0.1', '127.0.0.1:21001', '127.0.0.2:21001',
                                      '127.0.0.1:21002', '127.0.0.10:21003')], None),
    'weighted': ([('127.0.0.1:2100%d' % i, weight)
                  for i, weight in enumerate((1, 2, 3, 5, 7), 1)], None),
    'equal25': ([('127.0.0.1:%d' % (21001 + i), 1) for i in range(25)], None),
    'unix': ([('/tmp/ketvec-s1.sock:', 1), ('/tmp/ketvec-s2.sock:', 2), ('third', 1),
              ('127.0.0.1:21001', 1)], None),
    'ejected': ([('zeta', 1), ('b', 2), ('cache-node-three', 1), ('aa', 3), ('Node_4', 1)], None),
}
DOWN = {'ejected': 'aa'}
EJECTING = ('  auto_eject_hosts: true\n  server_failure_limit: 1\n'
            '  server_retry_timeout: 600000\n')


class FakeNode:
    """Answers each get with its name."""

    def __init__(self, name):
        self.name = name.encode()
        self.listener = socket.create_server(('127.0.0.1', free_port()))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        with peer, peer.makefile('rb') as lines:
            for line in lines:
                key = line[4:-2]
                peer.sendall(b'VALUE %s 0 %d\r\n%s\r\nEND\r\n' % (key, len(self.name), self.name))


def recorded(set_name, distribution):
    """The hashes' names, and rows of (key, server for each hash)."""
    path = os.path.join(VECTORS, '%s_%s.tsv' % (set_name, distribution))
    with open(path, newline='') as file:
        rows = list(csv.reader(file, delimiter='\t', quoting=csv.QUOTE_NONE))
    return rows[0][1:13], [(bytes.fromhex(row[0]), row[1:13]) for row in rows[1:]]


class ThroughTheProxy(unittest.TestCase):
    def ask_all(self, port, keys):
        with socket.create_connection(('127.0.0.1', port), 20) as peer:
            peer.sendall(b''.join(b'get %s\r\n' % key for key in keys))
            with peer.makefile('rb') as replies:
                for key in keys:
                    head = replies.readline()
                    self.assertTrue(head.startswith(b'VALUE '), head)
                    yield replies.readline()[:-2].decode()
                    replies.readline()

    def eject(self, port):
        """Asks for keys until one of the server that is down was refused, if any goes there."""
        with socket.create_connection(('127.0.0.1', port), 20) as peer:
            with peer.makefile('rb') as replies:
                for number in range(2000):
                    peer.sendall(b'get key%d\r\n' % number)
                    if replies.readline().startswith(b'SERVER_ERROR'):
                        return
                    replies.readline(), replies.readline()

    def test_every_recorded_key_reaches_the_recorded_server(self):
        compared = 0
        for set_name, (servers, tag) in SETS.items():
            nodes = {name: FakeNode(name) for name, _ in servers}
            if set_name in DOWN:
                nodes[DOWN[set_name]].listener.shutdown(socket.SHUT_RDWR)
                nodes[DOWN[set_name]].listener.close()
            ports, text = {}, ''
            for distribution in ('ketama', 'modula'):
                for hash_name in recorded(set_name, distribution)[0]:
                    port = ports[distribution, hash_name] = free_port()
                    text += '%s_%s:\n  listen: 127.0.0.1:%d\n  hash: %s\n  distribution: %s\n' % (
                        distribution, hash_name, port, hash_name, distribution)
                    text += '  hash_tag: "%s"\n' % tag if tag else ''
                    text += EJECTING if set_name in DOWN else ''
                    text += '  servers:\n' + ''.join(
                        '   - "127.0.0.1:%d:%d %s"\n' % (nodes[name].port, weight, name)
                        for name, weight in servers)
            with tempfile.NamedTemporaryFile('w', suffix='.yml') as config:
                config.write(text)
                config.flush()
                first = next(iter(ports.values()))
                with Program('cacheproxy', ['-c', config.name, '-a', '127.0.0.1', '-s',
                                            str(free_port())], first):
                    for (distribution, hash_name), port in ports.items():
                        if set_name in DOWN:
                            self.eject(port)
                        names, rows = recorded(set_name, distribution)
                        column = names.index(hash_name)
                        answers = list(self.ask_all(port, [key for key, _ in rows]))
                        expected = [row[column] for _, row in rows]
                        self.assertEqual(answers, expected, (set_name, distribution, hash_name))
                        compared += len(answers)
            for node in nodes.values():
                node.listener.close()
        self.assertEqual(compared, len(SETS) * 2 * 12 * 500)


if __name__ == '__main__':
    unittest.main()
