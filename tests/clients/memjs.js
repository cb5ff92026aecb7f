// memjs, which speaks the binary protocol: node memjs.js PORT
const assert = require('assert');
const memjs = require('memjs');

async function work(client) {
  assert.strictEqual(await client.set('k', 'value', {expires: 600}), true);
  assert.strictEqual((await client.get('k')).value.toString(), 'value');
  assert.strictEqual((await client.get('missing')).value, null);
  const large = Buffer.alloc(700000, 'x');
  assert.strictEqual(await client.set('large', large, {}), true);
  assert.ok((await client.get('large')).value.equals(large));
  const keys = Array.from({length: 500}, (_, i) => 'many' + i);
  await Promise.all(keys.map((key) => client.set(key, key, {})));
  const found = await Promise.all(keys.map((key) => client.get(key)));
  found.forEach((one, i) => assert.strictEqual(one.value.toString(), keys[i]));
  assert.strictEqual(await client.set('a key with spaces', 'odd', {}), true);
  assert.strictEqual((await client.get('a key with spaces')).value.toString(), 'odd');
  assert.strictEqual(await client.add('new', '1', {}), true);
  assert.strictEqual(await client.add('new', '2', {}), false);
  assert.strictEqual(await client.replace('none', '1', {}), false);
  assert.strictEqual(await client.replace('new', 'b', {}), true);
  assert.strictEqual(await client.append('new', 'c'), true);
  assert.strictEqual((await client.get('new')).value.toString(), 'bc'); // its prepend sends append
  assert.strictEqual((await client.increment('n', 5, {initial: 10})).value, 10);
  assert.strictEqual((await client.increment('n', 5, {})).value, 15);
  assert.strictEqual((await client.decrement('n', 100, {})).value, 0);
  assert.strictEqual(await client.touch('k', 100), true);
  assert.strictEqual(await client.touch('missing', 100), false);
  assert.strictEqual(await client.delete('k'), true);
  assert.strictEqual(await client.delete('k'), false);
}

const client = memjs.Client.create('127.0.0.1:' + process.argv[2], {retries: 1, timeout: 20});
work(client).then(() => client.close()).catch((error) => {
  console.error(error);
  process.exit(1);
});
