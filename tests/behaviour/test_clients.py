"""Real clients and tools at work on a node, and on three behind a proxy: what they do with
memcached they do with ours."""
import contextlib
import os
import subprocess
import tempfile
import unittest

import memcache
import pylibmc

import procs
from peer import Case
from procs import Node, Proxy, pool

SCRIPTS = os.path.join(procs.ROOT, 'tests', 'clients')
TOOL = '/usr/share/memcached/scripts/memcached-tool'
PHP = r'''
$client = new Memcached();
$client->setOption(Memcached::OPT_BINARY_PROTOCOL, $argv[2] === "binary");
$client->addServer("127.0.0.1", (int)$argv[1]);
function check($what, $is_true) { if (!$is_true) { fwrite(STDERR, "$what\n"); exit(1); } }
check("set", $client->set("k", ["a" => 1, "b" => [true, null]]));
check("get", $client->get("k") === ["a" => 1, "b" => [true, null]]);
check("large", $client->set("l", random_bytes(500000)) && strlen($client->get("l")) === 500000);
check("multi", $client->setMulti(["m1" => "x", "m2" => "y"]));
check("getMulti", $client->getMulti(["m1", "m2", "m3"]) == ["m1" => "x", "m2" => "y"]);
check("add", $client->add("new", 5) && !$client->add("new", 6));
check("increment", $client->set("n", 10) && $client->increment("n", 5) === 15);
check("decrement", $client->decrement("n", 20) === 0);
$extended = $client->get("k", null, Memcached::GET_EXTENDED);
check("cas", $client->cas($extended["cas"], "k", "new"));
check("cas again", !$client->cas($extended["cas"], "k", "newer"));
check("touch", $client->touch("k", 100));
check("delete", $client->delete("k") && $client->get("k") === false);
check("append", $client->setOption(Memcached::OPT_COMPRESSION, false) && $client->set("a", "x")
      && $client->append("a", "y") && $client->get("a") === "xy");
check("flush", $client->flush() && $client->get("a") === false);
check("stats", current($client->getStats())["version"] === "1.6.45");
'''


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


class Work:
    """What applications do, whatever stands behind the port."""

    def setUp(self):
        super().setUp()
        self.port = self.serve()

    def work_with_pylibmc(self, binary):
        client = pylibmc.Client(['127.0.0.1:%d' % self.port], binary=binary,
                                behaviors={'cas': True, 'tcp_nodelay': True})
        self.assertTrue(client.set('k', {'a': [1, 2]}))
        self.assertEqual(client.get('k'), {'a': [1, 2]})
        value = os.urandom(700000)
        self.assertTrue(client.set('large', value))
        self.assertEqual(client.get('large'), value)
        self.assertEqual(client.set_multi({'m%d' % i: i for i in range(500)}), [])
        self.assertEqual(len(client.get_multi(['m%d' % i for i in range(501)])), 500)
        self.assertFalse(client.add('k', 1))
        self.assertTrue(client.replace('k', 'r'))
        self.assertTrue(client.set('n', 5))
        self.assertEqual((client.incr('n', 3), client.decr('n', 7)), (8, 1))
        client.set('c', 'old')
        _, cas = client.gets('c')
        self.assertTrue(client.cas('c', 'new', cas))
        self.assertFalse(client.cas('c', 'newer', cas))
        self.assertTrue(client.touch('c', 100))
        client.set('a', 'x')
        self.assertTrue(client.append('a', 'y') and client.prepend('a', 'w'))
        self.assertEqual(client.get('a'), 'wxy')
        self.assertTrue(client.delete('a'))
        self.assertIsNone(client.get('a'))
        self.assertTrue(client.set('t', 'x', time=100))
        self.assertEqual(client.get('t'), 'x')
        self.assertEqual(client.get_stats()[0][1]['version'] in ('1.6.45', b'1.6.45'), True)
        self.assertTrue(client.flush_all())
        self.assertIsNone(client.get('k'))

    def test_pylibmc_in_text(self):
        self.work_with_pylibmc(False)

    def test_pylibmc_in_binary(self):
        self.work_with_pylibmc(True)

    def test_python_memcache(self):
        client = memcache.Client(['127.0.0.1:%d' % self.port], cache_cas=True)
        self.stack.callback(client.disconnect_all)
        self.assertTrue(client.set('k', {'a': 1}))
        self.assertEqual(client.get('k'), {'a': 1})
        self.assertEqual(client.set_multi({'a': 1, 'b': 2}), [])
        self.assertEqual(client.get_multi(['a', 'b', 'c']), {'a': 1, 'b': 2})
        self.assertEqual(client.incr('a', 4), 5)
        self.assertEqual(client.gets('b'), 2)
        self.assertTrue(client.cas('b', 3))
        self.assertTrue(client.touch('b', 10))
        self.assertTrue(client.delete('b'))
        self.assertEqual(client.get_stats()[0][1]['version'], '1.6.45')

    def test_memjs(self):
        done = run('node', os.path.join(SCRIPTS, 'memjs.js'), str(self.port))
        self.assertEqual((done.returncode, done.stderr), (0, ''))

    def test_npm_memcached(self):
        done = run('node', os.path.join(SCRIPTS, 'memcached.js'), str(self.port))
        self.assertEqual((done.returncode, done.stderr), (0, ''))

    def test_php_memcached(self):
        for protocol in ('text', 'binary'):
            done = run('php', '-r', PHP, '--', str(self.port), protocol)
            self.assertEqual((done.returncode, done.stderr), (0, ''), protocol)


class OnANode(Work, Case):
    def serve(self):
        return self.start(Node()).port

    def test_memccapable(self):
        """libmemcached's check of what a server can do."""
        for option in ('-a', '-b'):
            done = run('memccapable', '-h', '127.0.0.1', '-p', str(self.port), option)
            self.assertIn('All tests passed', done.stdout, done.stdout + done.stderr)

    def test_memcached_tool_and_memcstat(self):
        server = '127.0.0.1:%d' % self.port
        client = memcache.Client([server])
        self.stack.callback(client.disconnect_all)
        client.set('k', 'x' * 100)
        self.assertIn('1.6.45', run(TOOL, server, 'stats').stdout)
        self.assertRegex(run(TOOL, server, 'display').stdout, r'\n +\d+ +\d+B ')
        self.assertIn('maxbytes', run(TOOL, server, 'settings').stdout)
        self.assertIn('version: 1.6.45', run('memcstat', '--servers=' + server).stdout)


class ThroughAPool(Work, Case):
    def serve(self):
        nodes = [self.start(Node()) for _ in range(3)]
        return self.start(Proxy(pool(nodes, 'allow_flush_all: true'))).port


class Authentication(unittest.TestCase):
    def test_pylibmc_by_sasl(self):
        with contextlib.ExitStack() as stack:
            users = stack.enter_context(tempfile.NamedTemporaryFile('w'))
            users.write('alice:secret\n')
            users.flush()
            os.environ['MEMCACHED_SASL_PWDB'] = users.name
            self.addCleanup(os.environ.pop, 'MEMCACHED_SASL_PWDB')
            node = stack.enter_context(Node('-S'))
            where = ['127.0.0.1:%d' % node.port]
            client = pylibmc.Client(where, binary=True, username='alice', password='secret')
            self.assertTrue(client.set('k', 'v'))
            self.assertEqual(client.get('k'), 'v')
            with self.assertRaises(pylibmc.Error):
                pylibmc.Client(where, binary=True, username='alice', password='wrong').set('k', 1)


if __name__ == '__main__':
    unittest.main()
