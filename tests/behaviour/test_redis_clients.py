"""Real clients and tools of Redis at work on three servers behind a proxy."""
import os
import subprocess
import unittest

import redis

import procs
from peer import Case
from procs import Proxy, Redis, pool

SCRIPTS = os.path.join(procs.ROOT, 'tests', 'clients')
PHP = r'''
$client = new Redis();
$client->connect("127.0.0.1", (int)$argv[1], 20);
if (isset($argv[2])) { $client->auth($argv[2]); $client->select((int)$argv[3]); }
function check($what, $is_true) { if (!$is_true) { fwrite(STDERR, "$what\n"); exit(1); } }
check("set", $client->set("k", "v", ["ex" => 600]) && $client->get("k") === "v");
check("nx", $client->set("k", "w", ["nx"]) === false && $client->get("missing") === false);
$large = random_bytes(3000000);
check("large", $client->set("large", $large) && $client->get("large") === $large);
for ($i = 0; $i < 500; $i++) $all["many$i"] = "of $i";
check("mset", $client->mset($all) && $client->mget(array_keys($all)) === array_values($all));
check("exists", $client->exists(array_keys($all)) === 500);
$pipe = $client->multi(Redis::PIPELINE);
foreach ($all as $key => $value) $pipe->get($key)->incr("n$key");
$replies = $pipe->exec();
check("pipeline", count($replies) === 1000 && $replies[998] === "of 499" && $replies[999] === 1);
check("unlink", $client->unlink(array_keys($all)) === 500);
check("hash", $client->hMSet("hash", ["f" => "v"]) && $client->hGetAll("hash") === ["f" => "v"]);
check("zset", $client->zAdd("zset", 2, "b", 1, "a") === 2
      && $client->zRange("zset", 0, -1, true) === ["a" => 1.0, "b" => 2.0]);
check("eval", $client->eval('return KEYS[1] .. ARGV[1]', ["k", "x"], 1) === "kx");
check("error", $client->lPush("k", "x") === false
      && strpos($client->getLastError(), "WRONGTYPE") === 0);
$cursor = null;
check("scan", $client->hScan("hash", $cursor) === ["f" => "v"]);
check("ping", $client->ping() && $client->echo("x") === "x");
'''


def run(*command, **options):
    return subprocess.run(command, capture_output=True, timeout=120, **options)


class Work:
    """`login` are the words that a script gets after the port."""

    login, server_arguments, lines = (), (), ()

    def setUp(self):
        super().setUp()
        servers = [self.start(Redis(*self.server_arguments)) for _ in range(3)]
        self.port = self.start(Proxy(pool(servers, 'redis: true', *self.lines))).port

    def assert_succeeds(self, *command, **options):
        done = run(*command, **options)
        self.assertEqual((done.returncode, done.stderr), (0, b''), command[:2])
        return done.stdout

    def test_ioredis(self):
        self.assert_succeeds('node', SCRIPTS + '/ioredis.js', str(self.port), *self.login)

    def test_node_redis(self):
        self.assert_succeeds('node', SCRIPTS + '/node-redis.js', str(self.port), *self.login)

    def test_php_redis(self):
        self.assert_succeeds('php', '-r', PHP, '--', str(self.port), *self.login)

    def test_redis_py(self):
        password, db = self.login or (None, 0)
        client = redis.Redis(port=self.port, password=password, db=db, client_name='test')
        self.stack.callback(client.connection_pool.disconnect)
        self.stack.callback(client.close)
        self.assertTrue(client.set('k', 'v', ex=600))
        self.assertEqual((client.get('k'), client.get('missing')), (b'v', None))
        large = os.urandom(3000000)
        client.set('large', large)
        self.assertEqual(client.get('large'), large)
        values = {'many%d' % i: b'of %d' % i for i in range(500)}
        self.assertTrue(client.mset(values))
        self.assertEqual(client.mget(list(values)), list(values.values()))
        self.assertEqual(client.exists(*values), 500)
        pipeline = client.pipeline(transaction=False)
        for key in values:
            pipeline.get(key).incr('n' + key)
        self.assertEqual(pipeline.execute(), [each for value in values.values()
                                              for each in (value, 1)])
        self.assertEqual(client.unlink(*values), 500)
        client.hset('hash', mapping={'f': 'v', 'g': 'w'})
        self.assertEqual(client.hgetall('hash'), {b'f': b'v', b'g': b'w'})
        self.assertEqual(dict(client.hscan_iter('hash')), {b'f': b'v', b'g': b'w'})
        client.zadd('zset', {'b': 2, 'a': 1})
        self.assertEqual(client.zrange('zset', 0, -1, withscores=True), [(b'a', 1.0), (b'b', 2.0)])
        self.assertEqual(client.eval('return KEYS[1] .. ARGV[1]', 1, 'k', 'x'), b'kx')
        with self.assertRaisesRegex(redis.ResponseError, 'WRONGTYPE'):
            client.lpush('k', 'x')
        with self.assertRaisesRegex(redis.ResponseError, 'not possible through a proxy'):
            client.blpop('k', 1)
        self.assertTrue(client.ping())
        self.assertEqual(client.info()['role'], 'master')


class Open(Work, Case):
    lines = ('hash_tag: "{}"',)

    def test_redis_benchmark(self):
        """The tests of it that need none but commands of single keys; MSET has ten."""
        done = run(
            'redis-benchmark', '-p', str(self.port), '-n', '3000', '-c', '20', '-P', '8', '-r',
            '1000', '--csv', '-t',
            'ping_inline,ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,'
            'zpopmin,lrange_100,mset')
        self.assertEqual((done.returncode, done.stderr),
                         (0, b'WARNING: Could not fetch server CONFIG\n'))
        self.assertGreaterEqual(done.stdout.count(b'\n'), 16, done.stdout)
        self.assertNotIn(b'rror', done.stdout)

    def test_redis_cli_in_a_pipe(self):
        data = b''.join(b'*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$5\r\nvalue\r\n' % (len(key), key)
                        for key in (b'pipe%d' % i for i in range(50000)))
        out = self.assert_succeeds('redis-cli', '-p', str(self.port), '--pipe', input=data)
        self.assertIn(b'errors: 0, replies: 50000', out)
        words = self.assert_succeeds('redis-cli', '-p', str(self.port), 'MGET', 'pipe0', 'none',
                                     'pipe49999')
        self.assertEqual(words.split(), [b'value', b'value'])


class WithAPassword(Work, Case):
    login, server_arguments = ('secret', '3'), ('--requirepass', 'secret')
    lines = ('redis_auth: secret', 'redis_db: 3')


if __name__ == '__main__':
    unittest.main()
