"""What a burst of requests takes of a proxy's memory, and that it gives it back. The release
build is measured: a sanitizer's memory is its own."""
import contextlib
import os
import socket
import subprocess
import time
import unittest
from unittest import mock

import procs
from procs import ROOT, Node, Proxy, pool

BENCH = os.path.join(ROOT, 'tests', 'bench')
RELEASE = os.path.join(ROOT, 'build', 'release')


def memory_mb(process, what):
    with open('/proc/%d/status' % process.pid) as status:
        return int([line for line in status if line.startswith(what)][0].split()[1]) / 1024


def ask(connection, text):
    """The first line of the reply, or what there is of it."""
    connection.sendall(text)
    got = b''
    while not got.endswith(b'\r\n'):
        got += connection.recv(65536)
    return got


class Burst(unittest.TestCase):
    def test_five_hundred_clients_with_sixty_four_requests_each(self):
        subprocess.run(['make', '-s', '-C', BENCH, 'load'], check=True)
        with contextlib.ExitStack() as stack:
            stack.enter_context(mock.patch.object(procs, 'BUILD', RELEASE))
            nodes = [stack.enter_context(Node('-t', '1')) for _ in range(2)]
            proxy = stack.enter_context(Proxy(pool(nodes)))
            subprocess.run([os.path.join(BENCH, 'load'), '-p', str(proxy.port), '-c', '500', '-d',
                            '64', '-g', '1', '-N', '10000', '-n', '500000', '-L', '--stall', '60'],
                           check=True, stdout=subprocess.DEVNULL)
            self.assertLess(memory_mb(proxy.process, 'VmHWM'), 60)
            until = time.monotonic() + 10
            while memory_mb(proxy.process, 'VmRSS') >= 10:
                self.assertLess(time.monotonic(), until)
                time.sleep(0.1)


class Hoarders(unittest.TestCase):
    """Clients who ask for much and never read; memory_max is 64 MB."""

    def test_they_take_no_more_than_the_limit_and_others_are_served(self):
        value = b'x' * 100000
        with contextlib.ExitStack() as stack:
            stack.enter_context(mock.patch.object(procs, 'BUILD', RELEASE))
            node = stack.enter_context(Node('-t', '1', '-c', '2000'))
            proxy = stack.enter_context(Proxy('memory_max: 64m\n' + pool([node])))
            reader = stack.enter_context(proxy.connect())
            self.assertEqual(ask(reader, b'set big 0 0 %d\r\n%s\r\n' % (len(value), value)),
                             b'STORED\r\n')
            hoarders = []
            for _ in range(250):
                hoarder = stack.enter_context(socket.socket())
                hoarder.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                hoarder.connect(('127.0.0.1', proxy.port))
                hoarder.sendall(b'get big\r\n' * 60)
                hoarders.append(hoarder)
            for _ in range(20):
                self.assertEqual(ask(reader, b'get no\r\n'), b'END\r\n')
            self.assertLess(memory_mb(proxy.process, 'VmHWM'), 64 + 16)
            self.assertIn('memory is used up', proxy.said())

    def test_a_value_that_is_larger_than_half_of_it_is_refused(self):
        with Node() as node, Proxy('memory_max: 16m\n' + pool([node])) as proxy:
            with proxy.connect() as client:
                refused = b'SERVER_ERROR object too large for cache\r\n'
                self.assertEqual(ask(client, b'set k 0 0 9000000\r\n'), refused)
                client.sendall(b'x' * 9000000)
                self.assertEqual(ask(client, b'\r\nget k\r\n'), b'END\r\n')


if __name__ == '__main__':
    unittest.main()
