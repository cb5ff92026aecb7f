"""Servers that do as a test says, and are asked what was said to them."""
import contextlib
import json
import socket
import threading

from peer import Peer
from procs import free_port, page


class FakeNode:
    """Answers every get with its name, every set with STORED, and version.

    `answer(line)` may be given instead: the bytes to say to a line, None to say nothing, or
    an exception to raise, which closes the connection."""

    def __init__(self, name='fake', host='127.0.0.1', port=None, answer=None):
        self.name = name.encode()
        self.host = host
        self.port = port or free_port()
        self.answer = answer or self.ordinary
        self.lines = []       # all that were said to it
        self.connections = []  # that are open
        self.accepted = 0
        self.listener = None
        self.start()

    def start(self):
        self.listener = socket.create_server((self.host, self.port))
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        """As if its process were killed."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.hang_up()

    def hang_up(self):
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.accepted += 1
                self.connections.append(peer)
                threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        with contextlib.suppress(OSError, ConnectionError, ValueError):
            with peer, peer.makefile('rb') as lines:
                for line in lines:
                    if line.startswith(b'set '):
                        lines.read(int(line.split()[4]) + 2)
                    self.lines.append(line)
                    said = self.answer(line)
                    if said is not None:
                        peer.sendall(said)
        self.connections.remove(peer)

    def ordinary(self, line):
        if line.startswith(b'get '):
            return b''.join(b'VALUE %s 0 %d\r\n%s\r\n' % (key, len(self.name), self.name)
                            for key in line.split()[1:]) + b'END\r\n'
        return b'VERSION fake\r\n' if line.startswith(b'version') else b'STORED\r\n'

    def count(self, word):
        """How many lines began with it."""
        return sum(line.startswith(word) for line in list(self.lines))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Gate:
    """Stands before a server, and can be shut: the server is then not to be reached, and as it
    was when the gate opens again."""

    def __init__(self, program):
        self.behind = program.port
        self.port = free_port()
        self.pairs = []
        self.open()

    def open(self):
        self.listener = socket.create_server(('127.0.0.1', self.port))
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def shut(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for pair in list(self.pairs):
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(('127.0.0.1', self.behind))
                self.pairs.append((near, far))
                for source, sink in (near, far), (far, near):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=self.pass_on, args=(source, sink),
                                     daemon=True).start()

    def pass_on(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in source, sink:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shut()
        for pair in self.pairs:
            for end in pair:
                end.close()


class TalkingNode:
    """A server of which `talk(connection)` is run in a thread for each connection."""

    def __init__(self, talk, unix_path=None):
        self.talk = talk
        if unix_path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(unix_path)
            self.listener.listen()
        else:
            self.listener = socket.create_server(('127.0.0.1', free_port()))
            self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                if connection.family != socket.AF_UNIX:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with contextlib.suppress(OSError), connection:
            self.talk(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def value_of(line):
    """What such a node has under the key of a get: its name. It answers probes, too."""
    if line.startswith(b'version'):
        return b'VERSION 1\r\n'
    key = line.split()[1]
    return b'VALUE %s 0 %d\r\n%s\r\nEND\r\n' % (key, len(key), key)


def echo(connection):
    """Has every key, and its name for a value."""
    with connection.makefile('rb') as lines:
        for line in lines:
            connection.sendall(value_of(line))


class Wire(Peer):
    """A client, line by line."""

    def ask(self, text):
        """The first line of the reply."""
        self.socket.sendall(text)
        return self.file.readline()

    def get(self, key):
        """The value, None for a miss, or the line of an error as bytes."""
        line = self.ask(b'get %s\r\n' % key)
        if line == b'END\r\n':
            return None
        if not line.startswith(b'VALUE '):
            return line
        value = self.file.read(int(line.split()[3]) + 2)[:-2]
        assert self.file.readline() == b'END\r\n'
        return value.decode()

    def set(self, key, value):
        return self.ask(b'set %s 0 0 %d\r\n%s\r\n' % (key, len(value), value))


def stats_of(proxy, pool='pool'):
    """All statistics of a pool."""
    return json.loads(page(proxy, '/stats.json')[1])[pool]
