"""A new configuration while clients are at work: SIGHUP loses nothing, and a bad file changes
nothing."""
import os
import socket
import tempfile
import threading
import unittest

import procs
from fakes import TalkingNode, echo
from procs import Node, Proxy, metric_sum, pool

RELOADS = int(os.environ.get('RELOADS', 100))
DEPTH = 16


def ask(connection, line):
    connection.sendall(line + b'\r\n')
    got = b''
    while not got.endswith(b'\r\n'):
        got += connection.recv(4096)
    return got


class Pipeliner(threading.Thread):
    """Asks for keys of its own in batches until it is told to stop; `wrong` is what went wrong."""

    def __init__(self, proxy, name):
        super().__init__()
        self.connection, self.name, self.wrong, self.count = proxy.connect(), name, [], 0
        self.is_over = threading.Event()
        self.start()

    def run(self):
        with self.connection, self.connection.makefile('rb') as file:
            while not self.is_over.is_set() and not self.wrong:
                keys = [b'%s-%d' % (self.name.encode(), self.count + i) for i in range(DEPTH)]
                self.connection.sendall(b''.join(b'get %s\r\n' % key for key in keys))
                for key in keys:
                    got = [file.readline() for _ in range(3)]
                    expected = [b'VALUE %s 0 %d\r\n' % (key, len(key)), key + b'\r\n', b'END\r\n']
                    if got != expected:
                        self.wrong.append((got, expected))
                        return
                self.count += DEPTH

    def stop(self):
        self.is_over.set()
        self.join()


class ReloadTest(unittest.TestCase):
    def check_under_load(self, *arguments):
        nodes = [TalkingNode(echo) for _ in range(5)]
        with Proxy(pool(nodes[:3]), *arguments) as proxy:
            clients = [Pipeliner(proxy, 'client%d' % i) for i in range(4)]
            for turn in range(RELOADS):
                some = [nodes[i] for i in range(5) if i == 0 or (turn * 7 + 3) >> i & 1]
                proxy.reload(pool(some, 'timeout: %d' % (5000 + turn)) % proxy.port)
            for client in clients:
                client.stop()
            self.assertEqual([client.wrong for client in clients], [[]] * 4)
            self.assertTrue(all(client.count > DEPTH for client in clients))
            self.assertEqual(metric_sum(proxy, 'client_err_total'), 0)
        for node in nodes:
            node.__exit__()

    def test_no_request_is_lost_and_no_client_dropped(self):
        self.check_under_load()

    def test_nor_with_several_workers(self):
        self.check_under_load('-w', '3')

    def test_a_bad_file_is_refused_with_its_reason_and_nothing_changes(self):
        with Node() as node, Proxy(pool([node])) as proxy, proxy.connect() as client:
            good = pool([node]) % proxy.port
            proxy.reload(good + '  nonsense: 1\n', 'reloads_failed')
            self.assertIn('directive "nonsense" is unknown', proxy.said())
            self.assertEqual(ask(client, b'set k 0 0 1\r\nv'), b'STORED\r\n')
            with socket.create_server(('127.0.0.1', procs.free_port())) as taken:
                port = taken.getsockname()[1]
                other = pool([node]).replace('pool:', 'other:') % port
                proxy.reload(good + other, 'reloads_failed')
            self.assertIn('Address already in use', proxy.said())
            self.assertEqual(ask(client, b'delete k'), b'DELETED\r\n')

    def test_a_file_that_is_the_same_changes_nothing(self):
        with Node() as node, Proxy(pool([node])) as proxy, proxy.connect() as client:
            self.assertEqual(ask(client, b'set k 0 0 1\r\nv'), b'STORED\r\n')
            proxy.reload(pool([node]) % proxy.port)
            self.assertEqual(ask(client, b'delete k'), b'DELETED\r\n')
            self.assertEqual(metric_sum(proxy, 'server_server_connections'), 1)
            self.assertNotIn('is changed', proxy.said())

    def test_pools_come_and_go_and_clients_of_a_removed_one_are_answered(self):
        with Node() as node, Proxy(pool([node])) as proxy, proxy.connect() as client:
            both = pool([node]) % proxy.port
            port = procs.free_port()
            both += pool([node]).replace('pool:', 'other:') % port
            proxy.reload(both)
            with socket.create_connection(('127.0.0.1', port), 20) as other:
                self.assertEqual(ask(other, b'set k 0 0 1\r\nv'), b'STORED\r\n')
                proxy.reload(pool([node]) % proxy.port)
                self.assertEqual(other.recv(10), b'')
            with self.assertRaises(OSError):
                socket.create_connection(('127.0.0.1', port), 20)
            self.assertEqual(ask(client, b'delete k'), b'DELETED\r\n')
            self.assertIn("pool 'other' is added", proxy.said())
            self.assertIn("pool 'other' is removed", proxy.said())

    def test_a_pool_may_listen_elsewhere_and_change_its_name(self):
        with Node() as node, Proxy(pool([node])) as proxy, proxy.connect() as client:
            old, new = proxy.port, procs.free_port()
            proxy.reload(pool([node]) % new)
            self.assertEqual(ask(client, b'set k 0 0 1\r\nv'), b'STORED\r\n')
            with socket.create_connection(('127.0.0.1', new), 20) as other:
                self.assertEqual(ask(other, b'delete k'), b'DELETED\r\n')
            with self.assertRaises(OSError):
                socket.create_connection(('127.0.0.1', old), 20)
            proxy.reload(pool([node]).replace('pool:', 'renamed:') % new)
            with socket.create_connection(('127.0.0.1', new), 20) as other:
                self.assertEqual(ask(other, b'set k 0 0 1\r\nv'), b'STORED\r\n')
            proxy.port = new

    def test_a_unix_socket_may_go_over_to_another_pool(self):
        with tempfile.TemporaryDirectory() as folder, Node() as node:
            path = folder + '/proxy.sock'
            text = pool([node]).replace('127.0.0.1:%d', path, 1)
            with Proxy(text, unix_path=path) as proxy:
                proxy.reload(text.replace('pool:', 'renamed:'))
                with proxy.connect() as client:
                    self.assertEqual(ask(client, b'set k 0 0 1\r\nv'), b'STORED\r\n')
                proxy.reload(text.replace(path, path + ' 0600').replace('pool:', 'renamed:'))
                self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_unix_sockets_may_change_places_between_pools(self):
        with tempfile.TemporaryDirectory() as folder, Node() as a, Node() as b:
            paths = folder + '/one.sock', folder + '/two.sock'

            def listening(names):
                return ''.join(
                    pool([node]).replace('pool:', name + ':').replace('127.0.0.1:%d', path, 1)
                    for node, name, path in zip((a, b), names, paths))

            with Proxy(listening(['first', 'second']), '-w', '2', unix_path=paths[0]) as proxy:
                with proxy.connect() as client:
                    self.assertEqual(ask(client, b'set k 0 0 1\r\nv'), b'STORED\r\n')
                proxy.reload(listening(['second', 'first']))
                for path in paths:
                    with socket.socket(socket.AF_UNIX) as client:
                        client.connect(path)
                        self.assertIn(ask(client, b'touch k 0'), (b'TOUCHED\r\n', b'NOT_FOUND\r\n'))

    def test_the_log_says_what_changed_and_how_many_keys_move(self):
        with Node() as a, Node() as b, Proxy(pool([a], 'auto_eject_hosts: true')) as proxy:
            proxy.reload(pool([a, b], 'timeout: 777', 'auto_eject_hosts: true',
                               'on_eject: error') % proxy.port)
            said = proxy.said()
            self.assertIn("pool 'pool': server '127.0.0.1:%d:1 node1' is added" % b.port, said)
            self.assertIn("pool 'pool': timeout is changed", said)
            self.assertIn("pool 'pool': on_eject is changed", said)
            self.assertNotIn("pool 'pool': auto_eject_hosts is changed", said)
            self.assertRegex(said, r"pool 'pool': [45]\d\.\d % of all keys move")

    def test_who_has_not_told_the_password_need_not_when_there_is_none_any_more(self):
        with Node() as node, Proxy(pool([node], 'redis: true', 'redis_auth: secret')) as proxy:
            with proxy.connect() as client:
                self.assertEqual(ask(client, b'PING'), b'-NOAUTH Authentication required\r\n')
                proxy.reload(proxy.text().replace('  redis_auth: secret\n', ''))
                self.assertEqual(ask(client, b'PING'), b'+PONG\r\n')

    def test_a_removed_server_answers_what_it_was_asked(self):
        asked, go_on = threading.Event(), threading.Event()

        def slow(connection):
            line = connection.recv(4096)
            asked.set()
            go_on.wait(20)
            key = line.split()[1]
            connection.sendall(b'VALUE %s 0 1\r\nx\r\nEND\r\n' % key)

        with TalkingNode(slow) as old, Node() as new, Proxy(pool([old])) as proxy:
            with proxy.connect() as client:
                client.sendall(b'get k\r\n')
                asked.wait(20)
                proxy.reload(pool([new]) % proxy.port)
                go_on.set()
                got = b''
                while not got.endswith(b'END\r\n'):
                    got += client.recv(4096)
                self.assertEqual(got, b'VALUE k 0 1\r\nx\r\nEND\r\n')
                self.assertEqual(ask(client, b'get k'), b'END\r\n')


if __name__ == '__main__':
    unittest.main()
