"""A client that stores and reads many items at a time, and a case of nodes and such clients."""
import socket
import unittest

from procs import Node

PATIENCE_S = 20


class Client:
    def __init__(self, node):
        self.socket = socket.create_connection(('127.0.0.1', node.port), PATIENCE_S)
        self.file = self.socket.makefile('rwb')

    def close(self):
        self.file.close()
        self.socket.close()

    def ask(self, line):
        self.file.write(line.encode() + b'\r\n')
        self.file.flush()
        return self.file.readline().decode().strip()

    def stats(self, what=''):
        found = {}
        line = self.ask(('stats ' + what).strip())
        while line != 'END':
            _, name, value = line.split(' ', 2)
            found[name] = value
            line = self.file.readline().decode().strip()
        return found

    def set_all(self, keys, value, ttl=0, batch=500):
        """How many were stored; the answers of the others."""
        stored, others = 0, set()
        for start in range(0, len(keys), batch):
            part = keys[start:start + batch]
            self.file.write(b''.join(b'set %s 0 %d %d\r\n%s\r\n' % (key, ttl, len(value), value)
                                     for key in part))
            self.file.flush()
            for _ in part:
                answer = self.file.readline()
                stored += answer == b'STORED\r\n'
                others.add(answer)
        return stored, others - {b'STORED\r\n'}

    def count_found(self, keys, value, batch=500):
        found = 0
        for start in range(0, len(keys), batch):
            self.file.write(b'get ' + b' '.join(keys[start:start + batch]) + b'\r\n')
            self.file.flush()
            while (line := self.file.readline()) != b'END\r\n':
                assert self.file.read(len(value) + 2) == value + b'\r\n', line
                found += 1
        return found


class NodeCase(unittest.TestCase):
    def start(self, *arguments, **more):
        node = Node('-t', '2', *arguments, **more)
        self.addCleanup(node.stop)
        return node

    def client(self, node):
        client = Client(node)
        self.addCleanup(client.close)
        return client


def keys(name, count):
    return [b'%s-%d' % (name, i) for i in range(count)]
