"""Servers that a test plays itself."""
import contextlib
import socket
import threading

import procs


class FakeNode:
    """A server of which `talk(connection)` is run in a thread for each connection."""

    def __init__(self, talk, unix_path=None):
        self.talk = talk
        if unix_path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(unix_path)
            self.listener.listen()
        else:
            self.listener = socket.create_server(('127.0.0.1', procs.free_port()))
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
    """What such a node has under the key of a get: its name."""
    key = line.split()[1]
    return b'VALUE %s 0 %d\r\n%s\r\nEND\r\n' % (key, len(key), key)


def echo(connection):
    """Has every key, and its name for a value."""
    with connection.makefile('rb') as lines:
        for line in lines:
            connection.sendall(value_of(line))
