"""A node dies without a warning and comes back, while clients are at work."""
import unittest

from peer import Case, Peer
from procs import Node, Proxy, pool

KEYS = [b'key%d' % i for i in range(300)]


class Wire(Peer):
    def store(self, key):
        self.socket.sendall(b'set %s 0 0 %d\r\n%s\r\n' % (key, len(key), key))
        return self.file.readline()

    def get(self, keys):
        """The values found, or the error line."""
        self.socket.sendall(b'get %s\r\n' % b' '.join(keys))
        found = {}
        while True:
            line = self.file.readline()
            if line == b'END\r\n':
                return found
            if not line.startswith(b'VALUE '):
                return line
            _, key, _, length = line.split()
            found[key] = self.file.read(int(length) + 2)[:-2]


class NodeDies(Case):
    def setUp(self):
        super().setUp()
        self.nodes = [self.start(Node()) for _ in range(3)]
        self.proxy = self.start(Proxy(pool(self.nodes, 'timeout: 5000')))
        self.wire = self.start(Wire(self.proxy))
        for key in KEYS:
            self.assertEqual(self.wire.store(key), b'STORED\r\n')
        with Wire(self.nodes[0]) as direct:
            self.lost = set(direct.get(KEYS))

    def test_only_its_own_keys_notice(self):
        self.assertTrue(0 < len(self.lost) < len(KEYS))
        self.nodes[0].kill()
        for key in KEYS:
            answer = self.wire.get([key])
            if key in self.lost:
                self.assertTrue(answer.startswith(b'SERVER_ERROR '), answer)
            else:
                self.assertEqual(answer, {key: key})

    def test_a_get_of_many_keys_returns_the_live_part(self):
        self.nodes[0].kill()
        self.assertEqual(set(self.wire.get(KEYS)), set(KEYS) - self.lost)
        self.assertEqual(set(self.wire.get(KEYS)), set(KEYS) - self.lost)

    def test_back_again_it_serves_on_the_same_client_connection(self):
        self.nodes[0].kill()
        key = sorted(self.lost)[0]
        self.assertTrue(self.wire.get([key]).startswith(b'SERVER_ERROR '))
        self.start(Node(port=self.nodes[0].port))
        self.assertEqual(self.wire.get([key]), {})
        self.assertEqual(self.wire.store(key), b'STORED\r\n')
        self.assertEqual(self.wire.get([key]), {key: key})


if __name__ == '__main__':
    unittest.main()
