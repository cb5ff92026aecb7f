// redis of npm: node node-redis.js PORT [PASSWORD DB]
const assert = require('assert');
const {createClient} = require('redis');

const [port, password, db] = process.argv.slice(2);
const client = createClient({
  socket: {host: '127.0.0.1', port: Number(port), reconnectStrategy: false},
  password, database: db && Number(db), name: 'test',
});

async function work() {
  await client.connect();
  assert.strictEqual(await client.set('k', 'v', {EX: 600}), 'OK');
  assert.strictEqual(await client.get('k'), 'v');
  assert.strictEqual(await client.get('missing'), null);
  const large = 'x'.repeat(3000000);
  await client.set('large', large);
  assert.strictEqual(await client.get('large'), large);
  const keys = Array.from({length: 500}, (_, i) => 'many' + i);
  assert.strictEqual(await client.mSet(keys.map((key) => [key, 'of ' + key])), 'OK');
  assert.deepStrictEqual(await client.mGet(keys), keys.map((key) => 'of ' + key));
  assert.strictEqual(await client.exists(keys), 500);
  const replies = await Promise.all(keys.map((key) => client.get(key)));
  assert.deepStrictEqual(replies, keys.map((key) => 'of ' + key));
  assert.strictEqual(await client.unlink(keys), 500);
  await client.hSet('hash', {f: 'v', g: 'w'});
  assert.deepStrictEqual({...await client.hGetAll('hash')}, {f: 'v', g: 'w'});
  await client.zAdd('zset', [{score: 2, value: 'b'}, {score: 1, value: 'a'}]);
  assert.deepStrictEqual(await client.zRange('zset', 0, -1), ['a', 'b']);
  assert.strictEqual(await client.eval('return KEYS[1] .. ARGV[1]', {keys: ['k'], arguments: ['x']}), 'kx');
  const scanned = [];
  for await (const fields of client.hScanIterator('hash')) scanned.push(...[fields].flat());
  assert.strictEqual(scanned.length, 2);
  await assert.rejects(client.lPush('k', 'x'), /WRONGTYPE/);
  await assert.rejects(client.blPop('k', 1), /not possible through a proxy/);
  assert.strictEqual(await client.ping(), 'PONG');
}

work().then(() => client.close()).catch((error) => {
  console.error(error);
  process.exit(1);
});
