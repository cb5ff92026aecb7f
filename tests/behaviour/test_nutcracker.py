"""O-13: nutcracker and cacheproxy side by side before the same nodes, with one configuration.
What is stored through the one is found through the other."""
import contextlib
import socket
import subprocess
import tempfile
import unittest

import resp
from fakes import Gate, Wire
from peer import Case
from procs import Node, Program, Redis, free_port, wait_until

HASHES = ('one_at_a_time md5 crc16 crc32 crc32a fnv1_64 fnv1a_64 fnv1_32 fnv1a_32 hsieh murmur '
          'jenkins').split()


class At:
    """A port of a program of several."""

    def __init__(self, program, port):
        self.program, self.port = program, port

    def connect(self):
        return socket.create_connection(('127.0.0.1', self.port), 20)


class Nutcracker:
    def __init__(self, path):
        self.log = tempfile.NamedTemporaryFile('w+')
        self.process = subprocess.Popen(
            ['nutcracker', '-c', path, '-a', '127.0.0.1', '-s', str(free_port()), '-o',
             self.log.name, '-p', '/dev/null'],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()


def can_connect(port):
    with contextlib.suppress(OSError), At(None, port).connect():
        return True
    return False


class SideBySide(Case):
    def start(self, pools, servers, *lines):
        """Both proxies, with the pools by name -> lines; returns their ports by name."""
        ports = {}
        for which in 'nutcracker', 'cacheproxy':
            ports[which] = {name: free_port() for name in pools}
            text = ''.join('%s:\n  listen: 127.0.0.1:%d\n%s  servers:\n%s' % (
                name, ports[which][name],
                ''.join('  %s\n' % line for line in [*pools[name], *lines]),
                ''.join('   - %s\n' % server for server in servers)) for name in pools)
            config = self.stack.enter_context(tempfile.NamedTemporaryFile('w', suffix='.yml'))
            config.write(text)
            config.flush()
            first = next(iter(ports[which].values()))
            if which == 'nutcracker':
                self.stack.enter_context(Nutcracker(config.name))
            else:
                self.stack.enter_context(Program('cacheproxy', [
                    '-c', config.name, '-a', '127.0.0.1', '-s', str(free_port())], first))
            for port in ports[which].values():
                wait_until(lambda: can_connect(port))
        return ports['nutcracker'], ports['cacheproxy']

    def test_every_hash_and_distribution_finds_what_the_other_stored(self):
        nodes = [self.stack.enter_context(Node()) for _ in range(5)]
        pools = {'%s_%s' % (distribution, name): ['hash: ' + name, 'distribution: ' + distribution,
                                                  'hash_tag: "{}"']
                 for distribution in ('ketama', 'modula') for name in HASHES}
        theirs, ours = self.start(pools, ['127.0.0.1:%d:%d n%d' % (node.port, i + 1, i)
                                          for i, node in enumerate(nodes)])
        found = 0
        for name in pools:
            with Wire(At(None, theirs[name])) as old, Wire(At(None, ours[name])) as new:
                for writer, reader, mark in (old, new, b'a'), (new, old, b'b'):
                    keys = [b'%s:%s:{user%d}%d' % (mark, name.encode(), i % 25, i)
                            for i in range(100)]
                    for key in keys:
                        self.assertEqual(writer.set(key, mark), b'STORED\r\n')
                    for key in keys:
                        self.assertEqual(reader.get(key), mark.decode(), (name, key))
                        found += 1
        self.assertEqual(found, 24 * 200)

    def test_redis_pools_find_what_the_other_stored(self):
        """Keys of all shapes, split commands, and scripts by their first key."""
        servers = [self.stack.enter_context(Redis()) for _ in range(3)]
        pools = {'%s_%s' % (distribution, name): ['redis: true', 'hash: ' + name,
                                                  'distribution: ' + distribution,
                                                  'hash_tag: "{}"']
                 for distribution in ('ketama', 'modula') for name in ('murmur', 'fnv1a_64', 'md5')}
        theirs, ours = self.start(pools, ['127.0.0.1:%d:%d r%d' % (server.port, i + 1, i)
                                          for i, server in enumerate(servers)])
        for name in pools:
            with resp.Wire(At(None, theirs[name])) as old, resp.Wire(At(None, ours[name])) as new:
                for writer, reader, mark in (old, new, 'a'), (new, old, 'b'):
                    keys = ['%s:%s:{user%d}%d' % (mark, name, i % 25, i) for i in range(60)] + \
                           [mark + shape for shape in (' ', '\r\n', '{}x', '}{', '\0', 'k' * 3000)]
                    pairs = [word for key in keys for word in (key, 'of ' + key)]
                    self.assertEqual(writer.ask('MSET', *pairs), 'OK')
                    for key in keys:
                        self.assertEqual(reader.ask('GET', key), ('of ' + key).encode(), name)
                        self.assertEqual(reader.ask('EVAL', "return redis.call('GET', KEYS[1])", 1,
                                                    key), ('of ' + key).encode(), name)
                    asked = keys[::-1] + ['none'] + keys[:3]
                    self.assertEqual(reader.ask_raw('MGET', *asked), writer.ask_raw('MGET', *asked))
                    self.assertEqual(reader.ask('TOUCH', *asked), len(keys) + 3)
                    self.assertEqual(reader.ask('DEL', *asked), len(keys))

    def test_both_move_a_dead_servers_keys_to_the_same_others(self):
        nodes = [self.stack.enter_context(Node()) for _ in range(4)]
        gate = self.stack.enter_context(Gate(nodes[0]))
        servers = ['127.0.0.1:%d:1 n%d' % (node.port, i)
                   for i, node in enumerate([gate] + nodes[1:])]
        theirs, ours = self.start({'pool': ['hash: murmur']}, servers, 'auto_eject_hosts: true',
                                  'server_failure_limit: 1', 'server_retry_timeout: 600000')
        keys = [b'key%d' % i for i in range(200)]
        with Wire(At(None, theirs['pool'])) as old, Wire(At(None, ours['pool'])) as new:
            gate.shut()
            for wire in old, new:
                wait_until(lambda: not [key for key in keys if isinstance(wire.get(key), bytes)])
            for writer, reader in (old, new), (new, old):
                for key in keys:
                    self.assertEqual(writer.set(key, key), b'STORED\r\n')
                    self.assertEqual(reader.get(key), key.decode())
                    self.assertEqual(reader.ask(b'delete %s\r\n' % key), b'DELETED\r\n')


if __name__ == '__main__':
    unittest.main()
