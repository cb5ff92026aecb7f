// ioredis: node ioredis.js PORT [PASSWORD DB]
const assert = require('assert');
const Redis = require('ioredis');

const [port, password, db] = process.argv.slice(2);
const client = new Redis({port, password, db, maxRetriesPerRequest: 1, connectionName: 'test'});

async function work() {
  assert.strictEqual(await client.set('k', 'v', 'EX', 600), 'OK');
  assert.strictEqual(await client.get('k'), 'v');
  assert.strictEqual(await client.get('missing'), null);
  const large = Buffer.alloc(3000000, 'x');
  await client.set('large', large);
  assert.ok((await client.getBuffer('large')).equals(large));
  const keys = Array.from({length: 500}, (_, i) => 'many' + i);
  assert.strictEqual(await client.mset(...keys.flatMap((key) => [key, 'of ' + key])), 'OK');
  assert.deepStrictEqual(await client.mget(keys), keys.map((key) => 'of ' + key));
  assert.strictEqual(await client.exists(keys), 500);
  const pipeline = client.pipeline();
  keys.forEach((key) => pipeline.get(key).incr('n' + key));
  const replies = await pipeline.exec();
  keys.forEach((key, i) => {
    assert.deepStrictEqual(replies[2 * i], [null, 'of ' + key]);
    assert.deepStrictEqual(replies[2 * i + 1], [null, 1]);
  });
  assert.strictEqual(await client.unlink(...keys), 500);
  await client.hset('hash', {f: 'v', g: 'w'});
  assert.deepStrictEqual(await client.hgetall('hash'), {f: 'v', g: 'w'});
  await client.zadd('zset', 2, 'b', 1, 'a');
  assert.deepStrictEqual(await client.zrange('zset', 0, -1), ['a', 'b']);
  assert.strictEqual(await client.eval('return KEYS[1] .. ARGV[1]', 1, 'k', 'x'), 'kx');
  await assert.rejects(client.lpush('k', 'x'), /WRONGTYPE/);
  await assert.rejects(client.blpop('k', 1), /not possible through a proxy/);
  assert.strictEqual(await client.ping(), 'PONG');
}

work().then(() => client.quit()).catch((error) => {
  console.error(error);
  process.exit(1);
});
