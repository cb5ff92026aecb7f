"""What happens to a proxy in operation: logs that nobody reads, signals by the thousand, one
proxy after the other on the same port, and more work than a server can do."""
import contextlib
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time
import types
import unittest

import procs
from fakes import TalkingNode, value_of
from procs import Node, Proxy, metric_sum, page, pool

SEED = int(os.environ.get('SEED', random.SystemRandom().randrange(1 << 32)))
RESTARTS = int(os.environ.get('RESTARTS', 20))


def ask(connection, text):
    connection.sendall(text)
    got = b''
    while not got.endswith(b'\r\n'):
        more = connection.recv(65536)
        if not more:
            raise ConnectionError(got)
        got += more
    return got


class Logs(unittest.TestCase):
    def test_a_log_that_nobody_reads_holds_nothing_up(self):
        port, stats_port = procs.free_port(), procs.free_port()
        with Node() as node, tempfile.NamedTemporaryFile('w', suffix='.yml') as config:
            # Nobody listens there: each request for it fails, which is logged.
            config.write(pool([node], 'slowlog_ms: 0') % port)
            config.write(pool([node]).replace('pool:', 'dead:').replace(
                ':%d:1' % node.port, ':1:1') % procs.free_port())
            config.flush()
            reader, writer = os.pipe()
            while True:
                try:
                    os.set_blocking(writer, False)
                    os.write(writer, b'x' * 4096)
                except BlockingIOError:
                    break
            os.set_blocking(writer, True)
            process = subprocess.Popen(
                [os.path.join(procs.BUILD, 'cacheproxy'), '-c', config.name, '-a', '127.0.0.1',
                 '-s', str(stats_port), '-v', '7'], stderr=writer)
            os.close(writer)
            try:
                def connect():
                    try:
                        return socket.create_connection(('127.0.0.1', port), 20)
                    except OSError:
                        return None
                procs.wait_until(connect)
                with connect() as client:
                    for i in range(200):
                        process.send_signal(signal.SIGUSR1)  # each is logged
                        self.assertEqual(ask(client, b'get k%d\r\n' % i), b'END\r\n')
                where = types.SimpleNamespace(stats_port=stats_port)
                self.assertGreater(metric_sum(where, 'log_dropped_total'), 0)
            finally:
                process.terminate()
                self.assertEqual(process.wait(20), 0)
                os.close(reader)


class Signals(unittest.TestCase):
    def test_ten_thousand_signals_lose_nothing(self):
        chance = random.Random(SEED)
        numbers = (signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR1, signal.SIGUSR2)
        with Node() as node, Proxy(pool([node]), '-o', '/dev/null') as proxy:
            with proxy.connect() as client:
                for i in range(1000):
                    for _ in range(10):
                        proxy.process.send_signal(chance.choice(numbers))
                    self.assertEqual(ask(client, b'get k%d\r\n' % i), b'END\r\n', SEED)


class Restarts(unittest.TestCase):
    """O-21: one proxy after the other on the same port, as a service manager does it who has
    bound the port: the new one is ready, then the old one is told to end."""

    def setUp(self):
        self.wrong, self.count, self.is_over = [], 0, threading.Event()

    def work(self, connect):
        while not self.is_over.is_set():
            try:
                with connect() as client:
                    answer = ask(client, b'get k\r\n')
                    if answer != b'END\r\n':
                        self.wrong.append(answer)
                    self.count += 1
            except OSError as error:
                self.wrong.append(repr(error))

    def start(self, listener, text):
        """A proxy that finds the listener as its descriptor 3, and says when it is ready."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            name = '@cachepool-test-%d-%d' % (os.getpid(), self.count)
            ready.bind('\0' + name[1:])
            ready.settimeout(20)
            config = tempfile.NamedTemporaryFile('w', suffix='.yml')
            config.write(text)
            config.flush()
            errors = tempfile.TemporaryFile()
            process = subprocess.Popen(
                ['/bin/sh', '-c', 'LISTEN_FDS=1 LISTEN_PID=$$ NOTIFY_SOCKET=%s exec %s -c %s '
                 '-a 127.0.0.1 -s %d 3<&%d' % (name, os.path.join(procs.BUILD, 'cacheproxy'),
                                              config.name, procs.free_port(), listener.fileno())],
                pass_fds=[listener.fileno()], stderr=errors)
            self.assertEqual(ready.recv(100), b'READY=1')
        return process, errors, config

    def end(self, process, errors, config):
        process.terminate()
        status = process.wait(20)
        errors.seek(0)
        self.assertEqual(status, 0, errors.read())
        errors.close()
        config.close()

    def check(self, listener, listen, connect):
        with Node() as node:
            text = pool([node]).replace('127.0.0.1:%d', listen, 1)
            running = self.start(listener, text)
            threads = [threading.Thread(target=self.work, args=(connect,)) for _ in range(2)]
            for thread in threads:
                thread.start()
            try:
                for _ in range(RESTARTS):
                    following = self.start(listener, text)
                    self.end(*running)
                    running = following
            finally:
                self.is_over.set()
                for thread in threads:
                    thread.join()
                self.end(*running)
            self.assertEqual(self.wrong, [])
            self.assertGreater(self.count, RESTARTS)

    def test_no_request_fails_on_a_port_that_was_handed_over(self):
        port = procs.free_port()
        with socket.create_server(('127.0.0.1', port), backlog=512) as listener:
            self.check(listener, '127.0.0.1:%d' % port,
                       lambda: socket.create_connection(('127.0.0.1', port), 20))

    def test_nor_on_a_unix_socket_and_its_file_stays(self):
        with tempfile.TemporaryDirectory() as folder:
            path = folder + '/proxy.sock'

            def connect():
                client = socket.socket(socket.AF_UNIX)
                client.settimeout(20)
                client.connect(path)
                return client

            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(path)
                listener.listen(512)
                self.check(listener, path, connect)
            self.assertTrue(os.path.exists(path))


class Modes(unittest.TestCase):
    def test_a_unix_socket_is_never_open_to_more_than_it_is_to_be(self):
        """P-28: its mode is watched from before it is there."""
        with tempfile.TemporaryDirectory() as folder, Node() as node:
            path = folder + '/proxy.sock'
            seen, is_over = set(), threading.Event()

            def watch():
                while not is_over.is_set():
                    with contextlib.suppress(OSError):
                        seen.add(oct(os.stat(path).st_mode & 0o777))

            watcher = threading.Thread(target=watch)
            watcher.start()
            try:
                text = pool([node]).replace('127.0.0.1:%d', path + ' 0600', 1)
                for _ in range(10):
                    with Proxy(text, unix_path=path):
                        pass
            finally:
                is_over.set()
                watcher.join()
            self.assertEqual(seen, {'0o600'})


class Descriptors(unittest.TestCase):
    def test_when_they_run_out_others_wait_and_all_goes_on(self):
        """O-09: a limit of 64, 300 clients."""
        with Node() as node, Proxy(pool([node]), files=64) as proxy, proxy.connect() as steady:
            self.assertEqual(ask(steady, b'get k\r\n'), b'END\r\n')
            crowd = [proxy.connect() for _ in range(300)]
            for client in crowd:
                client.sendall(b'get k\r\n')
            procs.wait_until(lambda: 'no descriptors' in proxy.said())
            before = procs.cpu_s(proxy.process)
            begun = time.monotonic()
            for _ in range(20):
                self.assertEqual(ask(steady, b'get k\r\n'), b'END\r\n')
                self.assertEqual(page(proxy, '/health')[1], 'ok\n')
            served = 0
            while crowd:  # each that leaves makes room for one that waits
                crowd[0].settimeout(20)
                self.assertEqual(crowd[0].recv(100), b'END\r\n')
                crowd.pop(0).close()
                served += 1
            self.assertEqual(served, 300)
            used = procs.cpu_s(proxy.process) - before
            self.assertLess(used, 0.1 * (time.monotonic() - begun) + 0.5)


class Busy(unittest.TestCase):
    def test_more_than_a_server_may_have_under_way_is_refused_at_once(self):
        asked, go_on = threading.Event(), threading.Event()

        def stuck(connection):
            with connection.makefile('rb') as lines:
                for line in lines:
                    asked.set()
                    go_on.wait(20)
                    connection.sendall(value_of(line))

        with TalkingNode(stuck) as node, Proxy(pool([node], 'server_queue_max: 3')) as proxy:
            with proxy.connect() as one, proxy.connect() as other:
                one.sendall(b''.join(b'get k%d\r\n' % i for i in range(3)))
                asked.wait(20)
                procs.wait_until(lambda: metric_sum(proxy, 'server_out_queue') == 3)
                self.assertEqual(ask(other, b'get k\r\n'), b'SERVER_ERROR busy\r\n')
                self.assertEqual(ask(other, b'get a b\r\n'), b'SERVER_ERROR busy\r\n')
                go_on.set()
                got = b''
                while got.count(b'END\r\n') < 3:
                    got += one.recv(4096)
                self.assertEqual(got, b''.join(value_of(b'get k%d' % i) for i in range(3)))
                self.assertEqual(ask(other, b'get k\r\n'), value_of(b'get k'))


if __name__ == '__main__':
    unittest.main()
