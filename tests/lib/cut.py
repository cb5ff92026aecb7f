"""Cuts streams into pieces: a piece follows when the last one was read. What a unix socket's
peer has not read yet can be asked for."""
import contextlib
import fcntl
import socket
import struct
import threading
import time

SIOCOUTQ = 0x5411


def send_read(connection, data, patience_s=20):
    """Sends, and waits until the peer has read it."""
    connection.sendall(data)
    until = time.monotonic() + patience_s
    while struct.unpack('i', fcntl.ioctl(connection, SIOCOUTQ, b'\0' * 4))[0] != 0:
        if time.monotonic() > until:
            raise AssertionError('it is not read')


class Knife:
    """Cuts a stream: everywhere, or at one place."""

    def __init__(self, place=None):
        self.place, self.done = place, 0

    def pieces(self, data):
        if self.place is None:
            return [data[i:i + 1] for i in range(len(data))]
        at, self.done = self.place - self.done, self.done + len(data)
        return [data[:at], data[at:]] if 0 < at < len(data) else [data]


class Relay:
    """Stands before a node and cuts its replies."""

    def __init__(self, path, to):
        self.to, self.knife = to, None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                front, _ = self.listener.accept()
                back = socket.socket(socket.AF_UNIX)
                back.connect(self.to)
                threading.Thread(target=self.forward, args=(front, back), daemon=True).start()
                threading.Thread(target=self.answer, args=(back, front), daemon=True).start()

    @staticmethod
    def forward(front, back):
        with contextlib.suppress(OSError):
            while data := front.recv(1 << 16):
                back.sendall(data)
            back.shutdown(socket.SHUT_RDWR)

    def answer(self, back, front):
        with contextlib.suppress(OSError):
            while data := back.recv(1 << 16):
                for piece in self.knife.pieces(data) if self.knife else [data]:
                    send_read(front, piece)
            front.close()
