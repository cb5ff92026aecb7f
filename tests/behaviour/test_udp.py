"""Requests by UDP, and what a node does with them that are none."""
import contextlib
import os
import socket
import struct
import subprocess
import tempfile
import unittest

import procs
from peer import Case
from procs import Node

PATIENCE_S = 20
HEADER = struct.Struct('>HHHH')


class Peer:
    """A client by UDP; requests have rising ids."""

    def __init__(self, port, host='127.0.0.1'):
        family = socket.AF_INET6 if ':' in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.connect((host, port))
        self.socket.settimeout(PATIENCE_S)
        self.id = 65500

    def send(self, commands, sequence=0, total=1, reserved=0):
        self.id = (self.id + 1) & 0xffff
        self.socket.send(HEADER.pack(self.id, sequence, total, reserved) + commands)

    def message(self):
        """The next message, whole; its datagrams are all of one request and in order."""
        parts, total = [], 1
        while len(parts) < total:
            datagram = self.socket.recv(65536)
            number, sequence, total, reserved = HEADER.unpack(datagram[:8])
            assert (number, sequence, reserved) == (self.id, len(parts), 0), datagram[:8]
            assert len(datagram) <= 1400
            parts.append(datagram[8:])
        return b''.join(parts)

    def ask(self, commands):
        self.send(commands)
        return self.message()

    def close(self):
        self.socket.close()


def udp_sockets(port):
    """How many sockets are bound to the port."""
    count = 0
    for name in ('/proc/net/udp', '/proc/net/udp6'):
        if os.path.exists(name):
            with open(name) as table:
                count += sum(line.split()[1].endswith(':%04X' % port) for line in list(table)[1:])
    return count


def end(process):
    process.terminate()
    assert process.wait(PATIENCE_S) == 0


class Udp(Case):
    def start(self, *arguments, threads='4'):
        port = procs.free_port()
        node = self.stack.enter_context(
            Node('-U', str(port), '-t', threads, *arguments, port=port))
        return node, self.peer(port)

    def peer(self, port, host='127.0.0.1'):
        return self.stack.enter_context(contextlib.closing(Peer(port, host)))

    def test_a_reply_is_cut_into_numbered_datagrams(self):
        node, peer = self.start()
        value = os.urandom(100000)
        with node.connect() as stream:
            stream.sendall(b'set big 0 0 %d\r\n%s\r\nmn\r\n' % (len(value), value))
            with stream.makefile('rb') as replies:
                self.assertEqual(replies.readline(), b'STORED\r\n')
        for _ in range(5):
            self.assertEqual(peer.ask(b'get big\r\n'),
                             b'VALUE big 0 100000\r\n' + value + b'\r\nEND\r\n')

    def test_every_length_round_a_datagrams_end_comes_whole(self):
        _, peer = self.start()
        for length in range(1360, 1385):
            value = b'x' * length
            self.assertEqual(peer.ask(b'set k 0 0 %d\r\n%s\r\n' % (length, value)), b'STORED\r\n')
            self.assertEqual(peer.ask(b'get k\r\n'),
                             b'VALUE k 0 %d\r\n%s\r\nEND\r\n' % (length, value))

    def test_each_command_of_a_datagram_is_answered_by_a_message(self):
        _, peer = self.start()
        peer.send(b'set a 0 0 1\r\nx\r\nset b 0 0 1 noreply\r\ny\r\nget a b c\r\nbogus\r\nmn\r\n')
        self.assertEqual([peer.message() for _ in range(4)],
                         [b'STORED\r\n', b'VALUE a 0 1\r\nx\r\nVALUE b 0 1\r\ny\r\nEND\r\n',
                          b'ERROR\r\n', b'MN\r\n'])

    def test_binary_is_told_by_the_first_byte_of_each_datagram(self):
        _, peer = self.start()
        noop = struct.pack('>BB22x', 0x80, 0x0a)
        store = struct.pack('>BBHBxHIIQ', 0x80, 1, 1, 8, 0, 10, 7, 0) + bytes(8) + b'kv'
        peer.send(store + noop)
        self.assertEqual(peer.message()[:16], struct.pack('>BBHBxHII', 0x81, 1, 0, 0, 0, 0, 7))
        self.assertEqual(peer.message()[:2], b'\x81\x0a')
        self.assertEqual(peer.ask(b'get k\r\n'), b'VALUE k 0 1\r\nv\r\nEND\r\n')

    def test_what_is_not_whole_is_dropped_and_nothing_comes_of_it(self):
        _, peer = self.start()
        for sequence, total in ((0, 0), (0, 2), (1, 2), (0, 65535)):
            peer.send(b'set k 0 0 1\r\nx\r\n', sequence, total)
        for datagram in (b'', b'\0', bytes(7), bytes(8), HEADER.pack(1, 0, 1, 0)):
            peer.socket.send(datagram)
        for commands in (b'get k', b'set k 0 0 10\r\nabc', b'set k 0 0 1\r\nx', b'\x80',
                         b'\x80\x01\0\x01\x08\0\0\0\0\0\0\x20' + bytes(20) + b'k', b'A' * 5000,
                         b'GET / HTTP/1.0\r\n', b'quit\r\nset k 0 0 1\r\nx\r\n'):
            peer.send(commands)
        self.assertEqual(peer.ask(b'get k\r\n'), b'END\r\n')

    def test_an_answer_is_no_question_so_two_nodes_cannot_be_set_on_each_other(self):
        _, udp = self.start()
        for question in (b'nonsense\r\n', b'get k\r\n', b'set k 0 0\r\n', b'version\r\n',
                         b'\x81' + bytes(22) + b'\n'):
            said = udp.ask(question)
            while said != b'ERROR\r\n':
                said = udp.ask(said)
            udp.send(said)
            self.assertEqual(udp.ask(b'mn\r\n'), b'MN\r\n')

    def test_sequence_and_reserved_of_a_request_do_not_matter(self):
        _, peer = self.start()
        peer.send(b'mn\r\n', sequence=3, reserved=9)
        self.assertEqual(peer.message(), b'MN\r\n')

    def test_a_dump_is_refused(self):
        _, peer = self.start()
        self.assertEqual(peer.ask(b'lru_crawler metadump all\r\n'),
                         b'CLIENT_ERROR a dump cannot be had by UDP\r\n')
        self.assertEqual(peer.ask(b'mn\r\n'), b'MN\r\n')

    def test_watching_is_refused_and_takes_no_watchers_place(self):
        _, peer = self.start()
        for _ in range(25):
            self.assertEqual(peer.ask(b'watch\r\n'),
                             b'CLIENT_ERROR watch cannot be had by UDP\r\n')
        self.assertIn(b'STAT log_watchers 0\r\n', peer.ask(b'stats\r\n'))

    def test_each_thread_has_a_socket_and_all_of_them_answer(self):
        node, peer = self.start(threads='3')
        self.assertEqual(udp_sockets(node.port), 3)
        for _ in range(40):
            self.assertEqual(self.peer(node.port).ask(b'mn\r\n'), b'MN\r\n')
        conns = peer.ask(b'stats conns\r\n').decode()
        self.assertEqual(conns.count('addr udp:127.0.0.1:%d\r\n' % node.port), 3)
        self.assertEqual(conns.count(':UDP UDP\r\n'), 3)
        self.assertIn('STAT udpport %d\r\n' % node.port, peer.ask(b'stats settings\r\n').decode())

    def test_what_comes_and_goes_is_counted(self):
        _, peer = self.start(threads='1')
        peer.ask(b'mn\r\n')
        stats = dict(line.split(' ')[1:] for line in
                     peer.ask(b'stats\r\n').decode().splitlines()[:-1])
        self.assertGreaterEqual(int(stats['bytes_read']), 12 + 15)
        self.assertGreaterEqual(int(stats['bytes_written']), 12)

    def test_a_dialect_that_B_does_not_allow_is_not_spoken(self):
        version = struct.pack('>BB22x', 0x80, 0x0b)
        _, ascii_peer = self.start('-B', 'ascii')
        ascii_peer.send(version)
        self.assertEqual(ascii_peer.ask(b'mn\r\n'), b'MN\r\n')
        _, binary_peer = self.start('-B', 'binary')
        binary_peer.send(b'mn\r\n')
        self.assertEqual(binary_peer.ask(version)[:2], b'\x81\x0b')


class Options(unittest.TestCase):
    def run_node(self, *arguments):
        user = ['-u', 'root'] if os.getuid() == 0 else []
        return subprocess.run([os.path.join(procs.BUILD, 'cachenode')] + user + list(arguments),
                              capture_output=True, timeout=PATIENCE_S, text=True)

    def test_it_is_off_unless_asked_for(self):
        with Node() as node:
            self.assertEqual(udp_sockets(node.port), 0)

    def test_nobody_authenticates_by_udp(self):
        for option in (['-S'], ['-Y', '/dev/null']):
            done = self.run_node('-U', '11211', *option)
            self.assertEqual(done.returncode, 64, done.stderr)
            self.assertIn('-U', done.stderr)
        self.assertEqual(self.run_node('-U', '65536').returncode, 64)

    def test_who_listens_to_strangers_is_warned(self):
        port = procs.free_port()
        with Node('-U', str(port), port=port) as node:
            self.assertNotIn('amplification', node.said())
        other = procs.free_port()
        with Node('-U', str(port), '-l', '0.0.0.0:%d' % other, port=port) as node:
            self.assertNotIn('UDP on 127.0.0.1', node.said())
            self.assertIn('UDP on 0.0.0.0:%d' % other, node.said())
            self.assertIn('amplification', node.said())

    def test_another_nodes_address_is_not_shared(self):
        port = procs.free_port()
        with Node('-U', str(port), port=port):
            done = self.run_node('-l', '127.0.0.1', '-p', str(procs.free_port()), '-U', str(port))
            self.assertEqual(done.returncode, 71)
            self.assertIn('127.0.0.1:%d: bind: Address already in use' % port, done.stderr)

    def test_tcp_takes_the_port_of_udp_if_it_has_none_of_its_own(self):
        port = procs.free_port()
        user = ['-u', 'root'] if os.getuid() == 0 else []
        with tempfile.TemporaryDirectory() as directory:
            ports = os.path.join(directory, 'ports')
            process = subprocess.Popen([os.path.join(procs.BUILD, 'cachenode'), '-l',
                                        '127.0.0.1,[::1]', '-U', str(port)] + user,
                                       stderr=subprocess.PIPE,
                                       env=dict(os.environ, MEMCACHED_PORT_FILENAME=ports))
            self.addCleanup(process.stderr.close)
            self.addCleanup(end, process)
            procs.wait_until(lambda: os.path.exists(ports))
            with open(ports) as lines:
                self.assertEqual(lines.read(), ''.join('%s %s: %d\n' % (kind, family, port)
                                                       for kind in ('TCP', 'UDP')
                                                       for family in ('INET', 'INET6')))
            socket.create_connection(('127.0.0.1', port)).close()
            with contextlib.closing(Peer(port, '::1')) as peer:
                self.assertEqual(peer.ask(b'mn\r\n'), b'MN\r\n')


if __name__ == '__main__':
    unittest.main()
