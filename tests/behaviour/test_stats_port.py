"""The statistics' port of a proxy: nutcracker's JSON for who says nothing, HTTP for who asks."""
import contextlib
import json
import socket
import unittest
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from peer import Case
from procs import Node, Proxy, pool


class StatsPort(Case):
    def setUp(self):
        super().setUp()
        self.node = self.start(Node())
        self.proxy = self.start(Proxy(pool([self.node])))
        with self.proxy.connect() as client:
            client.sendall(b'set k 0 0 1\r\nx\r\nget k\r\nquit\r\n')
            while client.recv(4096):
                pass

    def connect(self):
        return self.start(
            socket.create_connection(('127.0.0.1', self.proxy.stats_port), 20))

    def read_all(self, connection):
        return b''.join(iter(lambda: connection.recv(65536), b''))

    def get(self, path):
        with urllib.request.urlopen('http://127.0.0.1:%d%s' % (self.proxy.stats_port, path),
                                    timeout=20) as answer:
            return answer.headers['Content-Type'], answer.read().decode()

    def test_who_says_nothing_gets_nutcrackers_json(self):
        stats = json.loads(self.read_all(self.connect()))
        self.assertEqual(list(stats)[:7], ['service', 'source', 'version', 'uptime', 'timestamp',
                                           'total_connections', 'curr_connections'])
        self.assertEqual(list(stats['pool']), ['client_eof', 'client_err', 'client_connections',
                                               'server_ejects', 'forward_error', 'fragments',
                                               'node0'])
        self.assertEqual(stats['pool']['node0']['requests'], 2)

    def test_one_receive_of_8192_bytes_is_enough_for_a_small_pool(self):
        self.assertIn('pool', json.loads(self.connect().recv(8192)))

    def test_every_unknown_key_is_a_pool_and_in_it_a_server(self):
        """As exporters read it."""
        known = {'service', 'source', 'version', 'uptime', 'timestamp', 'total_connections',
                 'curr_connections'}
        stats = json.loads(self.read_all(self.connect()))
        pools = {name: value for name, value in stats.items() if name not in known}
        self.assertEqual(list(pools), ['pool'])
        servers = [name for name, value in pools['pool'].items() if isinstance(value, dict)]
        self.assertEqual(servers, ['node0'])

    def test_metrics_are_prometheuss(self):
        kind, text = self.get('/metrics')
        self.assertTrue(kind.startswith('text/plain'))
        samples = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
                   for family in text_string_to_metric_families(text)
                   for sample in family.samples}
        here = (('pool', 'pool'), ('server', 'node0'))
        self.assertEqual(samples['cacheproxy_server_requests_total', here], 2)
        self.assertEqual(samples['cacheproxy_server_out_queue', here], 0)
        self.assertEqual(samples['cacheproxy_client_http_rejected_total', here[:1]], 0)

    def test_who_speaks_http_to_a_pool_is_counted(self):
        with self.proxy.connect() as client:
            client.sendall(b'POST / HTTP/1.1\r\nHost: x\r\n\r\nset k 0 0 1\r\ny\r\n')
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(client.recv(4096), b'')
        self.assertEqual(json.loads(self.get('/stats.json')[1])['pool']['client_http_rejected'], 1)
        with self.proxy.connect() as client:
            client.sendall(b'get k\r\nquit\r\n')
            self.assertEqual(client.makefile('rb').read(), b'VALUE k 0 1\r\nx\r\nEND\r\n')

    def test_health_and_what_is_not_there(self):
        self.assertEqual(self.get('/health')[1], 'ok\n')
        self.assertEqual(self.get('/ready')[1], 'ready\n')
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.get('/nothing')
        self.assertEqual(caught.exception.code, 404)
        caught.exception.close()
        connection = self.connect()
        connection.sendall(b'DELETE /metrics HTTP/1.1\r\n\r\n')
        self.assertTrue(self.read_all(connection).startswith(b'HTTP/1.1 405 '))

    def test_readers_that_are_stuck_hold_nobody_up(self):
        stuck = [self.connect() for _ in range(50)]
        for connection in stuck:
            connection.sendall(b'GET /metr')
        self.assertEqual(self.get('/health')[1], 'ok\n')
        self.assertIn('pool', json.loads(self.read_all(self.connect())))

    def test_a_request_in_pieces_is_understood(self):
        connection = self.connect()
        for byte in b'GET /health HTTP/1.0\r\n\r\n':
            connection.sendall(bytes([byte]))
        self.assertTrue(self.read_all(connection).endswith(b'\r\n\r\nok\n'))


if __name__ == '__main__':
    unittest.main()
