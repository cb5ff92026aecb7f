"""What tests that speak to a program have in common: a connection, and a case that ends all that
it started."""
import contextlib
import socket
import unittest

PATIENCE_S = 30


class Peer:
    """A connection to a program; its replies are read from self.file."""

    def __init__(self, program, patience_s=PATIENCE_S):
        self.take(program.connect(), patience_s)

    def take(self, connection, patience_s=PATIENCE_S):
        self.socket = connection
        self.socket.settimeout(patience_s)
        if self.socket.family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile('rb')

    def is_closed(self):
        """Nothing more comes."""
        try:
            return self.file.read(1) == b''
        except ConnectionResetError:
            return True

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)

    def start(self, thing):
        return self.stack.enter_context(thing)
