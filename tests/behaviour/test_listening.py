"""Where a node listens: addresses, ports, unix sockets, sockets of a service manager."""
import os
import signal
import socket
import stat
import subprocess
import tempfile
import unittest

import procs
from peer import Case
from procs import wait_until

PATIENCE_S = 20
USER = ['-u', 'root'] if os.getuid() == 0 else []
PROGRAM = os.path.join(procs.BUILD, 'cachenode')


def answers(address, family=socket.AF_INET):
    """Whether somebody who speaks the text protocol is there."""
    with socket.socket(family) as connection:
        connection.settimeout(PATIENCE_S)
        if connection.connect_ex(address) != 0:
            return False
        connection.sendall(b'mn\r\n')
        return connection.recv(100) == b'MN\r\n'


def answers_udp(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.connect(('127.0.0.1', port))
        peer.settimeout(PATIENCE_S)
        peer.send(b'\0\1\0\0\0\1\0\0mn\r\n')
        return peer.recv(100) == b'\0\1\0\0\0\1\0\0MN\r\n'


class Listening(Case):
    def setUp(self):
        super().setUp()
        self.directory = self.stack.enter_context(tempfile.TemporaryDirectory())

    def path(self, name):
        return os.path.join(self.directory, name)

    def start(self, *command, env=None, **more):
        """Starts a node that ends well at the test's end; returns the process."""
        errors = open(self.path('errors'), 'wb')
        process = subprocess.Popen(list(command), stderr=errors, stdout=subprocess.DEVNULL,
                                   env=dict(os.environ, **(env or {})), **more)
        self.stack.callback(self.end, process, errors)
        return process

    def said(self):
        with open(self.path('errors'), errors='replace') as errors:
            return errors.read()

    def end(self, process, errors):
        if process.returncode is None:
            process.terminate()
            self.assertEqual(process.wait(PATIENCE_S), 0, self.said())
        errors.close()
        self.assertFalse([word for word in procs.COMPLAINTS if word in self.said()], self.said())

    def start_with_ports(self, *arguments):
        """Starts a node and returns the lines that it writes of its ports."""
        ports = self.path('ports')
        self.start(PROGRAM, *USER, *arguments, env={'MEMCACHED_PORT_FILENAME': ports})
        wait_until(lambda: os.path.exists(ports) or 'cannot' in self.said())
        with open(ports) as lines:
            return lines.read().splitlines()

    def refuse(self, status, word, *arguments):
        done = subprocess.run([PROGRAM] + USER + list(arguments), capture_output=True, text=True,
                              timeout=PATIENCE_S)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(word, done.stderr)


class Addresses(Listening):
    def test_each_address_of_a_list_has_the_port_or_its_own(self):
        common, second, third = (procs.free_port() for _ in range(3))
        lines = self.start_with_ports('-p', str(common), '-l', '127.0.0.1,[::1]:%d' % second,
                                      '-l', '127.0.0.2:%d;127.0.0.3' % third)
        self.assertEqual(lines, ['TCP INET: %d' % common, 'TCP INET6: %d' % second,
                                 'TCP INET: %d' % third, 'TCP INET: %d' % common])
        for host, port in (('127.0.0.1', common), ('127.0.0.2', third), ('127.0.0.3', common)):
            self.assertTrue(answers((host, port)), host)
        self.assertTrue(answers(('::1', second), socket.AF_INET6))
        self.assertFalse(answers(('::1', common), socket.AF_INET6))
        self.assertFalse(answers(('127.0.0.2', common)))
        self.assertFalse(answers(('127.0.0.1', third)))

    def test_an_address_of_ipv6_needs_no_brackets_without_a_port(self):
        port = procs.free_port()
        self.assertEqual(self.start_with_ports('-p', str(port), '-l', '::1'),
                         ['TCP INET6: %d' % port])
        self.assertTrue(answers(('::1', port), socket.AF_INET6))

    def test_a_name_is_looked_up(self):
        port = procs.free_port()
        self.assertIn('TCP INET: %d' % port,
                      self.start_with_ports('-l', 'localhost:%d' % port, '-p', '1'))
        self.assertTrue(answers(('127.0.0.1', port)))

    def test_each_address_has_a_port_of_the_systems_choice(self):
        lines = self.start_with_ports('-p', '-1', '-U', '-1', '-l', '127.0.0.1,127.0.0.2')
        self.assertEqual([line.split()[:2] for line in lines],
                         [['TCP', 'INET:']] * 2 + [['UDP', 'INET:']] * 2)
        ports = [int(line.split()[2]) for line in lines]
        self.assertTrue(answers(('127.0.0.1', ports[0])))
        self.assertTrue(answers(('127.0.0.2', ports[1])))
        self.assertTrue(answers_udp(ports[2]))

    def test_with_port_0_there_is_no_tcp(self):
        port = procs.free_port()
        self.assertEqual(self.start_with_ports('-p', '0', '-U', str(port), '-l', '127.0.0.1'),
                         ['UDP INET: %d' % port])
        self.assertTrue(answers_udp(port))
        self.assertFalse(answers(('127.0.0.1', port)))

    def test_the_file_of_ports_is_empty_without_any(self):
        self.assertEqual(self.start_with_ports('-p', '0'), [])
        self.assertFalse(os.path.exists(self.path('ports.lck')))

    def test_what_cannot_be_listened_on_is_named(self):
        with socket.socket() as other:
            other.bind(('127.0.0.1', 0))
            other.listen()
            taken = '127.0.0.1:%d' % other.getsockname()[1]
            self.refuse(71, taken + ': bind: Address already in use', '-l', taken)
            self.refuse(71, taken, '-l', '127.0.0.1:%d,%s' % (procs.free_port(), taken))
        self.refuse(71, 'no-such-name.invalid', '-l', 'no-such-name.invalid')
        for prefix in ('notls:127.0.0.1', 'proto[ascii]:127.0.0.1', 'tag[a]:127.0.0.1'):
            self.refuse(1, prefix, '-l', prefix)


class UnixSockets(Listening):
    def test_it_is_its_owners_alone_unless_the_mask_says_otherwise(self):
        for name, arguments, mode in (('own', [], 0o700), ('group', ['-a', '0770'], 0o770),
                                      ('odd', ['-a', '0641'], 0o641)):
            path = self.path(name)
            self.start(PROGRAM, *USER, '-s', path, *arguments, preexec_fn=lambda: os.umask(0))
            wait_until(lambda: os.path.exists(path))
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), mode)
            wait_until(lambda: answers(path, socket.AF_UNIX))

    def test_the_socket_of_a_node_that_died_is_replaced(self):
        path = self.path('socket')
        process = self.start(PROGRAM, *USER, '-s', path)
        wait_until(lambda: os.path.exists(path) and answers(path, socket.AF_UNIX))
        process.kill()
        process.wait()
        self.assertTrue(os.path.exists(path))
        self.start(PROGRAM, *USER, '-s', path)
        wait_until(lambda: answers(path, socket.AF_UNIX))

    def test_a_file_that_is_no_socket_is_left_alone(self):
        path = self.path('file')
        with open(path, 'w') as file:
            file.write('precious')
        self.refuse(71, 'bind: Address already in use', '-s', path)
        with open(path) as file:
            self.assertEqual(file.read(), 'precious')
        self.refuse(71, 'too long', '-s', '/' + 'x' * 108)

    def test_tcp_and_udp_are_off_with_it(self):
        port = procs.free_port()
        path = self.path('socket')
        self.start(PROGRAM, *USER, '-s', path, '-p', str(port), '-U', str(port))
        wait_until(lambda: os.path.exists(path) and answers(path, socket.AF_UNIX))
        self.assertFalse(answers(('127.0.0.1', port)))


# As systemd does it: the sockets are descriptors from 3 on, and LISTEN_PID is the program's.
HAND_OVER = """
import os, sys
offset, count = int(sys.argv[1]), int(sys.argv[2])
for i in range(count):
    os.dup2(100 + i, 3 + i)
os.environ.update(LISTEN_PID=str(os.getpid() + offset), LISTEN_FDS=str(count))
os.execv(sys.argv[3], sys.argv[3:])
"""


class ServiceManager(Listening):
    def start_with_sockets(self, sockets, *arguments, pid_offset=0):
        """Hands the sockets to a node as descriptors 3, 4 ..."""
        for i, each in enumerate(sockets):
            os.dup2(each.fileno(), 100 + i)
        process = self.start('/usr/bin/python3', '-c', HAND_OVER, str(pid_offset),
                             str(len(sockets)), PROGRAM, *USER, *arguments,
                             pass_fds=range(100, 100 + len(sockets)))
        os.closerange(100, 100 + len(sockets))
        return process

    def listener(self, family=socket.AF_INET, address=('127.0.0.1', 0)):
        listener = self.stack.enter_context(socket.socket(family))
        listener.bind(address)
        listener.listen()
        return listener

    def test_streams_and_udp_are_handed_over(self):
        tcp, path = self.listener(), self.path('socket')
        local = self.listener(socket.AF_UNIX, path)
        udp = self.stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(('127.0.0.1', 0))
        unused = procs.free_port()
        process = self.start_with_sockets([tcp, local, udp], '-p', str(unused))
        self.assertTrue(answers(tcp.getsockname()))
        self.assertTrue(answers(path, socket.AF_UNIX))
        self.assertTrue(answers_udp(udp.getsockname()[1]))
        self.assertFalse(answers(('127.0.0.1', unused)))
        process.terminate()
        self.assertEqual(process.wait(PATIENCE_S), 0)
        self.assertTrue(os.path.exists(path), 'it is not ours to remove')

    def test_who_waited_for_us_to_start_is_served(self):
        listener = self.listener()
        with socket.create_connection(listener.getsockname(), PATIENCE_S) as early:
            early.sendall(b'mn\r\n')
            self.start_with_sockets([listener])
            self.assertEqual(early.recv(100), b'MN\r\n')

    def test_what_was_meant_for_another_process_is_not_taken(self):
        listener, port = self.listener(), procs.free_port()
        self.start_with_sockets([listener], '-l', '127.0.0.1', '-p', str(port), pid_offset=1)
        wait_until(lambda: answers(('127.0.0.1', port)))

    def test_what_does_not_listen_is_refused(self):
        idle = self.stack.enter_context(socket.socket())
        file = self.stack.enter_context(open('/dev/null'))
        local = self.stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        for wrong, why in ((idle, 'it is not listening'), (file, 'it is no socket'),
                           (local, 'it is a unix socket for datagrams')):
            process = self.start_with_sockets([wrong])
            self.assertEqual(process.wait(PATIENCE_S), 71)
            self.assertIn('descriptor 3 of LISTEN_FDS: ' + why, self.said())

    def manager(self, address):
        manager = self.stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        manager.bind(address)
        manager.settimeout(PATIENCE_S)
        return manager

    def test_the_manager_is_told_of_readiness_and_of_the_end(self):
        abstract = 'cachenode-test-%d' % os.getpid()
        for name, address in ((self.path('notify'), self.path('notify')),
                              ('@' + abstract, '\0' + abstract)):
            manager, port = self.manager(address), procs.free_port()
            process = self.start(PROGRAM, *USER, '-l', '127.0.0.1', '-p', str(port),
                                 env={'NOTIFY_SOCKET': name})
            self.assertEqual(manager.recv(100), b'READY=1')
            self.assertTrue(answers(('127.0.0.1', port)))
            process.send_signal(signal.SIGTERM)
            self.assertEqual(manager.recv(100), b'STOPPING=1')
            self.assertEqual(process.wait(PATIENCE_S), 0)

    def test_a_manager_that_is_not_there_is_no_reason_to_fail(self):
        for name in (self.path('nowhere'), 'relative', '@', '/' + 'x' * 200):
            port = procs.free_port()
            self.start(PROGRAM, *USER, '-l', '127.0.0.1', '-p', str(port),
                       env={'NOTIFY_SOCKET': name})
            wait_until(lambda: 'NOTIFY_SOCKET: READY=1' in self.said())
            self.assertTrue(answers(('127.0.0.1', port)))


if __name__ == '__main__':
    unittest.main()
