"""A real client, python3-pymemcache, at work: on one node, and through a pool of three."""
import unittest

from pymemcache.client.base import Client

from peer import Case
from procs import Node, Proxy, pool


class Work:
    """What an application does, whatever stands behind the address."""

    def setUp(self):
        super().setUp()
        self.client = Client(('127.0.0.1', self.serve()), timeout=20, default_noreply=False)
        self.stack.callback(self.client.close)

    def test_values_come_back(self):
        self.assertTrue(self.client.set('k', b'value'))
        self.assertEqual(self.client.get('k'), b'value')
        self.assertIsNone(self.client.get('missing'))

    def test_binary_and_large_values(self):
        for size in (0, 1, 255, 2047, 2048, 2049, 16383, 16384, 16385, 70000, 524288, 1000000):
            value = (bytes(range(256)) * (size // 256 + 1))[:size]
            self.assertTrue(self.client.set('large', value))
            self.assertEqual(self.client.get('large'), value)

    def test_many_keys_at_once(self):
        values = {'key%d' % i: b'%d' % i * 40 for i in range(2000)}
        self.assertEqual(self.client.set_many(values), [])
        self.assertEqual(self.client.get_many(list(values) + ['missing']), values)
        self.assertEqual(len(self.client.gets_many(list(values))), 2000)

    def test_add_replace_append_prepend(self):
        self.assertFalse(self.client.replace('a', b'x'))
        self.assertTrue(self.client.add('a', b'm'))
        self.assertFalse(self.client.add('a', b'n'))
        self.assertTrue(self.client.append('a', b'>'))
        self.assertTrue(self.client.prepend('a', b'<'))
        self.assertEqual(self.client.get('a'), b'<m>')

    def test_cas(self):
        self.client.set('c', b'1')
        _, cas = self.client.gets('c')
        self.assertTrue(self.client.cas('c', b'2', cas))
        self.assertFalse(self.client.cas('c', b'3', cas))
        self.assertIsNone(self.client.cas('missing', b'3', cas))

    def test_numbers(self):
        self.client.set('n', b'10')
        self.assertEqual(self.client.incr('n', 5), 15)
        self.assertEqual(self.client.decr('n', 100), 0)
        self.assertIsNone(self.client.incr('missing', 1))

    def test_touch_delete_and_expiry(self):
        self.client.set('t', b'x')
        self.assertTrue(self.client.touch('t', 100))
        self.assertTrue(self.client.touch('t', -1))
        self.assertIsNone(self.client.get('t'))
        self.client.set('t', b'x', expire=-1)
        self.assertIsNone(self.client.get('t'))
        self.client.set('t', b'x')
        self.assertTrue(self.client.delete('t'))
        self.assertFalse(self.client.delete('t'))

    def test_noreply_is_followed_in_order(self):
        for i in range(200):
            self.client.set('o', b'%d' % i, noreply=True)
            self.assertEqual(self.client.get('o'), b'%d' % i)


class OnANode(Work, Case):
    def serve(self):
        return self.start(Node()).port


class ThroughAPool(Work, Case):
    def serve(self):
        nodes = [self.start(Node()) for _ in range(3)]
        return self.start(Proxy(pool(nodes))).port


if __name__ == '__main__':
    unittest.main()
