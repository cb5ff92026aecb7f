"""Servers' names: looked up beside the data, tried address by address, followed when they move."""
import os
import re
import subprocess
import tempfile
import time
import unittest

import procs
from fakes import FakeNode, Wire
from peer import Case
from procs import BUILD, ROOT, Proxy, free_port, wait_until

KEYS = [b'key%d' % i for i in range(40)]


class Names:
    """What names under .test stand for, in a proxy that is started with env()."""

    def __init__(self, directory):
        self.path = os.path.join(directory, 'names')
        self.library = os.path.join(directory, 'names.so')
        self.now = {}
        self.set()
        subprocess.run(['cc', '-shared', '-fPIC', '-o', self.library,
                        os.path.join(ROOT, 'tests', 'lib', 'names.c'), '-ldl'], check=True)

    def set(self, **names):
        self.now.update(names)
        with open(self.path + '.new', 'w') as file:
            for name, meaning in self.now.items():
                file.write('%s.test %s\n' % (name, meaning))
        os.rename(self.path + '.new', self.path)

    def env(self):
        linked = subprocess.run(['ldd', os.path.join(BUILD, 'cacheproxy')], capture_output=True,
                                text=True, check=True).stdout
        # A sanitizer has to come first.
        sanitizers = re.findall(r'=> (\S*lib[at]san\S*)', linked)
        return {'NAMES': self.path, 'LD_PRELOAD': ' '.join(sanitizers + [self.library])}


class Lookups(Case):
    def setUp(self):
        super().setUp()
        self.names = Names(self.start(tempfile.TemporaryDirectory()))

    def fake(self, *arguments, **named):
        return self.start(FakeNode(*arguments, **named))

    def proxy(self, servers, *lines):
        keys = ['listen: 127.0.0.1:%d', 'hash: murmur', 'timeout: 5000', *lines]
        text = 'pool:\n' + ''.join('  %s\n' % key for key in keys) + '  servers:\n' + ''.join(
            '    - %s\n' % server for server in servers)
        return self.start(Proxy(text, env=self.names.env()))

    def wire(self, proxy):
        return self.start(Wire(proxy))

    def test_a_proxy_starts_without_a_name_says_so_once_and_serves_the_others(self):
        """O-11, P-19."""
        here, there = self.fake('here'), self.fake('there')
        proxy = self.proxy(['127.0.0.1:%d:1 a' % here.port, 'there.test:%d:1 b' % there.port])
        wire = self.wire(proxy)
        wait_until(lambda: 'cannot be looked up' in proxy.said())
        answers = {key: wire.get(key) for key in KEYS}
        self.assertEqual(set(answers.values()), {'here', b'SERVER_ERROR Host is down\r\n'})
        lines = wire.ask(b'get %s\r\n' % b' '.join(KEYS))
        self.assertTrue(lines.startswith(b'VALUE '))  # of several keys, those that are to be had
        while wire.file.readline() != b'END\r\n':
            pass
        self.assertEqual(proxy.said().count('cannot be looked up'), 1)
        self.names.set(there='127.0.0.1')
        wait_until(lambda: {wire.get(key) for key in KEYS} == {'here', 'there'})
        self.assertEqual([key for key in KEYS if answers[key] == 'here'],
                         [key for key in KEYS if wire.get(key) == 'here'])
        self.assertIn("'there.test' is at 127.0.0.1:%d" % there.port, proxy.said())

    def test_every_address_is_tried_before_a_request_fails(self):
        node = self.fake('node')
        self.names.set(node='127.0.0.9 127.0.0.8 127.0.0.1 127.0.0.7')
        wire = self.wire(self.proxy(['node.test:%d:1' % node.port], 'preconnect: true',
                                    'server_connections: 3'))
        for _ in range(3):
            self.assertEqual(wire.get(b'k'), 'node')
        node.stop()
        self.assertTrue(wire.get(b'k').startswith(b'SERVER_ERROR '))
        self.assertEqual(wire.get(b'k'), b'SERVER_ERROR Connection refused\r\n')
        node.start()
        self.assertEqual(wire.get(b'k'), 'node')

    def test_preconnect_waits_for_the_name(self):
        node = self.fake('node')
        self.names.set(node='127.0.0.1')
        self.proxy(['node.test:%d:1' % node.port], 'preconnect: true', 'server_connections: 2')
        wait_until(lambda: node.accepted == 2)

    def test_a_name_that_moves_is_followed_and_no_request_notices(self):
        """O-11: connected within the interval and a second."""
        old = self.fake('old', answer=lambda line: time.sleep(0.001) or old.ordinary(line))
        new = self.fake('new', host='127.0.0.2', port=old.port)
        self.names.set(node='127.0.0.1')
        proxy = self.proxy(['node.test:%d:1' % old.port], 'resolve_interval: 200')
        wire, other = self.wire(proxy), self.wire(proxy)
        self.assertEqual(wire.get(b'k'), 'old')
        began = time.monotonic()
        self.names.set(node='127.0.0.2')
        values = []
        while values[-1:] != ['new']:  # always some under way
            self.assertLess(time.monotonic() - began, 5)  # 0.2 s where nothing else runs
            other.socket.sendall(b'get x\r\n' * 20)
            values.append(wire.get(b'k'))
            for _ in range(20):
                self.assertIn(other.file.readline(), (b'VALUE x 0 3\r\n',))
                self.assertIn(other.file.readline(), (b'old\r\n', b'new\r\n'))
                self.assertEqual(other.file.readline(), b'END\r\n')
        self.assertEqual(set(values[:-1]) - {'old'}, set())
        wait_until(lambda: not old.connections)
        self.assertNotIn('SERVER_ERROR', ''.join(map(str, values)))
        self.assertIn("'node.test' is at 127.0.0.2:%d" % old.port, proxy.said())

    def test_an_idle_connection_to_the_old_address_is_closed_without_a_failure(self):
        old = self.fake('old')
        new = self.fake('new', host='127.0.0.2', port=old.port)
        self.names.set(node='127.0.0.1')
        proxy = self.proxy(['node.test:%d:1' % old.port], 'resolve_interval: 100')
        wire = self.wire(proxy)
        self.assertEqual(wire.get(b'k'), 'old')
        self.names.set(node='127.0.0.2')
        wait_until(lambda: not old.connections)
        self.assertEqual(wire.get(b'k'), 'new')
        self.assertEqual(new.count(b'get'), 1)
        self.assertNotIn('unknown', proxy.said())

    def test_a_reload_may_have_names_looked_up_from_now_on(self):
        old = self.fake('old')
        self.fake('new', host='127.0.0.2', port=old.port)
        self.names.set(node='127.0.0.1')
        proxy = self.proxy(['node.test:%d:1' % old.port], 'resolve_interval: 0')
        wire = self.wire(proxy)
        self.assertEqual(wire.get(b'k'), 'old')
        self.names.set(node='127.0.0.2')
        proxy.reload(proxy.text().replace('interval: 0', 'interval: 100'))
        wait_until(lambda: wire.get(b'k') == 'new')

    def test_a_dead_servers_name_is_looked_up_though_no_interval_says_so(self):
        old = self.fake('old')
        self.fake('new', host='127.0.0.2', port=old.port)
        self.names.set(node='127.0.0.1')
        wire = self.wire(self.proxy(['node.test:%d:1' % old.port], 'resolve_interval: 0'))
        self.assertEqual(wire.get(b'k'), 'old')
        self.names.set(node='127.0.0.2')
        self.assertEqual(wire.get(b'k'), 'old')
        old.stop()
        wait_until(lambda: wire.get(b'k') == 'new')

    def test_an_ejected_server_that_moves_is_probed_where_it_is_now(self):
        """At once, however long its next probe would have taken; without an interval, too."""
        for interval in 200, 0:
            old, other = self.fake('node'), self.fake('other')
            new = self.fake('node', host='127.0.0.2', port=old.port)
            self.names.set(node='127.0.0.1')
            proxy = self.proxy(['node.test:%d:1 a' % old.port, '127.0.0.1:%d:1 b' % other.port],
                               'auto_eject_hosts: true', 'server_failure_limit: 1',
                               'server_retry_timeout: %d' % (600000 if interval else 300),
                               'resolve_interval: %d' % interval)
            wire = self.wire(proxy)
            self.assertEqual({wire.get(key) for key in KEYS}, {'node', 'other'})
            old.stop()
            wait_until(lambda: {wire.get(key) for key in KEYS} == {'other'})
            self.names.set(node='127.0.0.2')
            began = time.monotonic()
            wait_until(lambda: {wire.get(key) for key in KEYS} == {'node', 'other'})
            self.assertLess(time.monotonic() - began, 4)
            self.assertEqual(new.lines[0], b'version\r\n')

    def test_a_name_that_takes_long_keeps_no_other_waiting(self):
        """Also where one thread has nothing to do when both are asked for."""
        first, node = self.fake('first'), self.fake('node')
        self.names.set(first='127.0.0.1', node='127.0.0.1', slow='silent 1000')
        proxy = self.proxy(['first.test:%d:1 a' % first.port], 'resolve_interval: 0',
                           'preconnect: true')
        wait_until(lambda: first.accepted)
        proxy.reload(proxy.text() + '    - slow.test:1:1 b\n    - node.test:%d:1 c\n' % node.port)
        wait_until(lambda: node.accepted)

    def test_a_silent_name_server_holds_up_nobody(self):
        """O-11: latencies stay; and statistics are answered, and the proxy ends when told."""
        node = self.fake('node')
        self.names.set(node='127.0.0.1', other='silent 5')
        proxy = self.proxy(['node.test:%d:1 a' % node.port, 'other.test:%d:1 b' % free_port()],
                           'resolve_interval: 100')
        wire = self.wire(proxy)
        mine = [key for key in KEYS if self.is_mine(key)]
        self.assertEqual(wire.get(mine[0]), 'node')
        self.names.set(node='silent 5')
        worst, until = 0, time.monotonic() + 1.5
        while time.monotonic() < until:
            began = time.monotonic()
            self.assertEqual(wire.get(mine[0]), 'node')
            worst = max(worst, time.monotonic() - began)
        self.assertLess(worst, 2)  # some milliseconds where nothing else runs
        began = time.monotonic()
        procs.page(proxy, '/health')
        self.assertLess(time.monotonic() - began, 2)
        wire.close()
        proxy.stop()
        self.assertLess(time.monotonic() - began, 4)

    def is_mine(self, key):
        text = 'p:\n  listen: 127.0.0.1:1\n  hash: murmur\n  servers: ["h:1:1 a", "h:2:1 b"]\n'
        return "server 'a'" in self.explain(text, key)

    def explain(self, text, *keys):
        with tempfile.NamedTemporaryFile('w', suffix='.yml') as file:
            file.write(text)
            file.flush()
            return subprocess.run([os.path.join(BUILD, 'cacheproxy'), '-c', file.name,
                                   '--explain', *keys], capture_output=True).stdout.decode()

    def test_places_on_the_ring_depend_on_names_alone(self):
        text = 'p:\n  listen: 127.0.0.1:1\n  servers: ["%s:1 a", "%s:1 b"]\n'
        places = [re.findall(r"place (.*), server '(\w)'", self.explain(text % pair, *KEYS))
                  for pair in (('h.test:1', 'g.test:2'), ('10.0.0.1:5', '::1:9'))]
        self.assertEqual(len(places[0]), len(KEYS))
        self.assertEqual(places[0], places[1])


if __name__ == '__main__':
    unittest.main()
