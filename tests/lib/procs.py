"""Starts our programs on free ports, waits until they listen, ends and reaps them.

A program that does not end with status 0, or has a sanitizer complain, fails its test."""
import contextlib
import os
import random
import resource
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, 'build', os.environ.get('BUILD', 'asan'))
COMPLAINTS = ('Sanitizer', 'runtime error:', ': bug: ')


GIVEN = set()


def free_port():
    """A port below those that the system gives to clients, another one each time."""
    while True:
        port = random.randint(12000, 32000)
        if port in GIVEN:
            continue
        GIVEN.add(port)
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
                return port
            except OSError:
                pass


def wait_until(condition, what='it never came to be', patience_s=30):
    """`what` is said if it does not: a text, or what makes one."""
    until = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until, what() if callable(what) else what
        time.sleep(0.002)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


class Program:
    """A running program that listens on self.port, or unix_path; a context manager."""

    def __init__(self, name, arguments, port, unix_path=None, env=None, files=None):
        self.port = port
        self.unix_path = unix_path
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([os.path.join(BUILD, name)] + arguments,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=self.errors, env=dict(os.environ, **(env or {})),
                                        preexec_fn=files and (lambda: resource.setrlimit(
                                            resource.RLIMIT_NOFILE, (files, files))))
        self.wait_until_ready()

    def wait_until_ready(self, patience_s=30):
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                self.connect().close()
                return
            except OSError:
                time.sleep(0.005)
        raise AssertionError('it does not listen: ' + self.said())

    def connect(self):
        if self.unix_path is None:
            return socket.create_connection(('127.0.0.1', self.port), 20)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(self.unix_path)
        except OSError:
            connection.close()
            raise
        return connection

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors='replace')

    def kill(self):
        """As at 3 a.m.: without a warning."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.errors.closed:
            return
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            status = self.process.wait(30)
            assert status == 0, 'ended with %d: %s' % (status, self.said())
        said = self.said()
        self.errors.close()
        assert not any(complaint in said for complaint in COMPLAINTS), said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Node(Program):
    def __init__(self, *arguments, port=None, unix_path=None, env=None):
        port = port or free_port()
        user = ['-u', 'root'] if os.getuid() == 0 else []
        where = ['-s', unix_path] if unix_path else ['-l', '127.0.0.1', '-p', str(port)]
        super().__init__('cachenode', user + where + list(arguments), port, unix_path, env)


class Redis(Program):
    """Debian's redis-server; it keeps nothing on disk."""

    def __init__(self, *arguments, port=None, unix_path=None):
        port = port or free_port()
        where = (['--port', '0', '--unixsocket', unix_path] if unix_path else
                 ['--port', str(port), '--bind', '127.0.0.1'])
        super().__init__('/usr/bin/redis-server', where + ['--save', '', '--appendonly', 'no',
                                                           *arguments], port, unix_path)


@contextlib.contextmanager
def memcached(*arguments):
    """Debian's memcached, to compare with, on the port that this gives."""
    port = free_port()
    user = ['-u', 'root'] if os.getuid() == 0 else []
    process = subprocess.Popen(['memcached', '-l', '127.0.0.1', '-p', str(port), '-U', '0', '-t',
                                '1', '-m', '64'] + user + list(arguments),
                               stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: listens(port))
        yield port
    finally:
        process.terminate()
        process.wait()


class Proxy(Program):
    """`text` is YAML with %d where the port to listen on belongs, unless that is unix_path."""

    def __init__(self, text, *arguments, port=None, unix_path=None, env=None, files=None):
        port = port or free_port()
        self.stats_port = free_port()
        self.config = tempfile.NamedTemporaryFile('w', suffix='.yml')
        self.config.write(text if unix_path else text % port)
        self.config.flush()
        super().__init__('cacheproxy', ['-c', self.config.name, '-a', '127.0.0.1', '-s',
                                        str(self.stats_port)] + list(arguments), port,
                         unix_path, env, files)

    def text(self):
        """Its configuration."""
        with open(self.config.name) as file:
            return file.read()

    def reload(self, text, outcome='reloads'):
        """Gives it another configuration and waits until that is taken over, or
        `reloads_failed`."""
        before = metric_sum(self, outcome + '_total')
        with open(self.config.name, 'w') as file:
            file.write(text)
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: metric_sum(self, outcome + '_total') > before)


def pool(nodes, *lines):
    """A pool of nodes as YAML; further lines as `key: value`."""
    keys = ['listen: 127.0.0.1:%d', 'hash: murmur', 'distribution: ketama', *lines, 'servers:']
    servers = ['  - %s:1 node%d' % (getattr(node, 'unix_path', None) or
                                    '127.0.0.1:%d' % node.port, i) for i, node in enumerate(nodes)]
    return 'pool:\n' + ''.join('  %s\n' % line for line in keys + servers)


def cpu_s(process):
    """Seconds of CPU that it has used."""
    with open('/proc/%d/stat' % process.pid) as stat:
        fields = stat.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def page(proxy, path):
    """What the statistics' port says to a GET, as (status line, body). A test that the system
    did not let speak for 30 ms gets nutcracker's JSON, as who says nothing does: it asks again."""
    while True:
        with socket.create_connection(('127.0.0.1', proxy.stats_port), 20) as connection:
            connection.sendall(b'GET %s HTTP/1.0\r\n\r\n' % path.encode())
            answer = b''.join(iter(lambda: connection.recv(65536), b''))
        if answer.startswith(b'HTTP/'):
            head, _, body = answer.partition(b'\r\n\r\n')
            return head.decode().splitlines()[0], body.decode()


def metric_sum(proxy, name):
    """The sum of all samples of a metric, None if there is none."""
    found = [float(line.rsplit(' ', 1)[1]) for line in page(proxy, '/metrics')[1].splitlines()
             if line.startswith(('cacheproxy_%s ' % name, 'cacheproxy_%s{' % name))]
    return sum(found) if found else None
