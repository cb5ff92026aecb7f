"""Options of a pool and of the proxy's command line have their effect."""
import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import tempfile
import unittest

import procs
from peer import Case
from procs import Node, Proxy, pool, wait_until


def stats_of(proxy):
    with socket.create_connection(('127.0.0.1', proxy.stats_port), 20) as reader:
        return json.loads(b''.join(iter(lambda: reader.recv(65536), b'')))


class Options(Case):
    def setUp(self):
        super().setUp()
        self.node = self.stack.enter_context(Node())

    def start(self, *lines, arguments=()):
        return self.stack.enter_context(Proxy(pool([self.node], *lines), *arguments))

    def client(self, proxy):
        client = self.stack.enter_context(proxy.connect())
        client.settimeout(20)
        return client

    def ask(self, client, text):
        client.sendall(text)
        return client.recv(65536)

    def test_no_more_clients_than_client_connections(self):
        proxy = self.start('client_connections: 2')

        def is_alone():  # who looked whether it listens has come, and gone
            stats = stats_of(proxy)['pool']
            return stats['client_eof'] != 0 and stats['client_connections'] == 0
        wait_until(is_alone)
        clients = [self.client(proxy) for _ in range(2)]
        for client in clients:
            self.assertEqual(self.ask(client, b'mn\r\n'), b'MN\r\n')
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(self.client(proxy).recv(100), b'')
        self.assertGreaterEqual(stats_of(proxy)['pool']['client_err'], 1)
        clients[0].close()
        wait_until(lambda: stats_of(proxy)['pool']['client_connections'] == 1)
        self.assertEqual(self.ask(self.client(proxy), b'mn\r\n'), b'MN\r\n')

    def second(self, first, *arguments):
        """Starts another proxy of the same configuration, but for its statistics."""
        return subprocess.Popen(
            [os.path.join(procs.BUILD, 'cacheproxy'), '-c', first.config.name, '-a', '127.0.0.1',
             '-s', str(procs.free_port()), *arguments], stderr=subprocess.PIPE)

    def test_a_port_is_shared_among_workers_but_with_nobody_else(self):
        for workers in '1', '3':
            first = self.start(arguments=['-w', workers])
            for others in '1', '2':
                with self.second(first, '-w', others) as second:
                    try:
                        self.assertEqual(second.wait(20), 1)
                    finally:
                        second.kill()
                    self.assertIn(b'Address already in use', second.stderr.read())

    def test_reuseport_lets_others_in(self):
        for workers in '1', '3':
            first = self.start('reuseport: true', arguments=['-w', workers])
            with self.second(first, '-w', workers) as second:
                try:
                    self.assertTrue(any(b'started' in line for line in second.stderr))
                finally:
                    second.terminate()
                self.assertEqual(second.wait(20), 0)
            self.assertEqual(self.ask(self.client(first), b'mn\r\n'), b'MN\r\n')

    def test_preconnect_connects_before_anybody_asks(self):
        proxy = self.start('preconnect: true', 'server_connections: 3')
        wait_until(lambda: stats_of(proxy)['pool']['node0']['server_connections'] == 3)
        self.assertEqual(stats_of(proxy)['pool']['node0']['requests'], 0)

    def test_clients_share_several_server_connections_and_keep_their_order(self):
        proxy = self.start('server_connections: 3')
        clients = [self.client(proxy) for _ in range(6)]
        for i, client in enumerate(clients):
            client.sendall(b''.join(b'set k%d 0 0 3\r\n%03d\r\nget k%d\r\n' % (i, j, i)
                                    for j in range(100)))
        for i, client in enumerate(clients):
            expected = b''.join(b'STORED\r\nVALUE k%d 0 3\r\n%03d\r\nEND\r\n' % (i, j)
                                for j in range(100))
            self.assertEqual(client.makefile('rb').read(len(expected)), expected)
        self.assertEqual(stats_of(proxy)['pool']['node0']['server_connections'], 3)

    def test_a_unix_listener_has_its_mode_and_is_removed_at_the_end(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, 'pool')
            text = 'pool:\n  listen: %s 0640\n  servers: [ 127.0.0.1:%d:1 ]\n' % (
                path, self.node.port)
            with Proxy(text, unix_path=path) as proxy:
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o640)
                with proxy.connect() as client:
                    self.assertEqual(self.ask(client, b'get x\r\n'), b'END\r\n')
            self.assertFalse(os.path.exists(path))

    def test_the_log_is_opened_again_on_hangup(self):
        with tempfile.TemporaryDirectory() as directory:
            log, kept = os.path.join(directory, 'log'), os.path.join(directory, 'log.1')
            proxy = self.start(arguments=['-o', log])
            os.rename(log, kept)
            proxy.process.send_signal(signal.SIGHUP)
            wait_until(lambda: os.path.exists(log))
            with open(kept) as file:
                self.assertIn('started', file.read())

    def test_the_pid_file_is_there_while_the_proxy_is(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, 'pid')
            with Proxy(pool([self.node]), '-p', path) as proxy:
                wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 0)
                with open(path) as file:
                    self.assertEqual(int(file.read()), proxy.process.pid)
            self.assertFalse(os.path.exists(path))

    def test_signals_change_how_much_is_logged_and_nothing_is_lost(self):
        proxy = self.start()
        client = self.client(proxy)
        for number in (signal.SIGTTIN, signal.SIGTTOU, signal.SIGHUP, signal.SIGUSR1,
                       signal.SIGUSR2) * 20:
            proxy.process.send_signal(number)
            self.assertEqual(self.ask(client, b'get x\r\n'), b'END\r\n')

    def test_under_the_name_of_nutcracker_its_file_is_read(self):
        with tempfile.TemporaryDirectory() as directory:
            os.mkdir(directory + '/conf')
            os.symlink(os.path.join(procs.BUILD, 'cacheproxy'), directory + '/nutcracker')
            with open(directory + '/conf/nutcracker.yml', 'w') as file:
                file.write(pool([self.node]) % procs.free_port())
            done = subprocess.run(['./nutcracker', '-t'], cwd=directory, capture_output=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(b"'conf/nutcracker.yml' syntax is ok", done.stderr)

    def test_several_workers_answer_on_one_port_and_count_as_one(self):
        with Proxy(pool([self.node]), '-w', '3') as proxy:
            clients = [self.client(proxy) for _ in range(30)]
            for client in clients:
                self.assertEqual(self.ask(client, b'get x\r\n'), b'END\r\n')
            found = stats_of(proxy)
            self.assertEqual(found['pool']['client_connections'], 30)
            self.assertEqual(found['pool']['node0']['requests'], 30)
            threads = os.listdir('/proc/%d/task' % proxy.process.pid)
            self.assertGreaterEqual(len(threads), 4)

    def test_the_file_may_say_how_many_workers(self):
        with Proxy('workers: 2\n' + pool([self.node])) as proxy:
            self.assertEqual(self.ask(self.client(proxy), b'get x\r\n'), b'END\r\n')
            self.assertGreaterEqual(len(os.listdir('/proc/%d/task' % proxy.process.pid)), 3)


if __name__ == '__main__':
    unittest.main()
