// memcached of npm, which speaks text: node memcached.js PORT
const assert = require('assert');
const {promisify} = require('util');
const Memcached = require('memcached');

const client = new Memcached('127.0.0.1:' + process.argv[2], {retries: 1, timeout: 20000, maxValue: 1048576});
const does = (name, ...args) => promisify(client[name]).call(client, ...args);

async function fails(name, ...args) {
  return does(name, ...args).then((answer) => answer === false, () => true);
}

async function work() {
  assert.strictEqual(await does('set', 'k', {a: [1, null]}, 600), true);
  assert.deepStrictEqual(await does('get', 'k'), {a: [1, null]});
  assert.strictEqual(await does('get', 'missing'), undefined);
  const large = 'x'.repeat(700000);
  assert.strictEqual(await does('set', 'large', large, 600), true);
  assert.strictEqual(await does('get', 'large'), large);
  const keys = Array.from({length: 500}, (_, i) => 'many' + i);
  await Promise.all(keys.map((key, i) => does('set', key, i, 0)));
  const found = await does('getMulti', [...keys, 'missing']);
  assert.strictEqual(Object.keys(found).length, 500);
  keys.forEach((key, i) => assert.strictEqual(found[key], i));
  assert.strictEqual(await does('add', 'new', 'b', 0), true);
  assert.ok(await fails('add', 'new', 'x', 0));
  assert.ok(await fails('replace', 'none', 'x', 0));
  assert.strictEqual(await does('append', 'new', 'c'), true);
  assert.strictEqual(await does('prepend', 'new', 'a'), true);
  assert.strictEqual(await does('get', 'new'), 'abc');
  await does('set', 'n', 10, 0);
  assert.strictEqual(await does('incr', 'n', 5), 15);
  assert.strictEqual(await does('decr', 'n', 100), 0);
  assert.strictEqual(await does('incr', 'missing', 1), false);
  const {cas} = await does('gets', 'n');
  assert.strictEqual(await does('cas', 'n', 7, cas, 0), true);
  assert.strictEqual(await does('cas', 'n', 8, cas, 0), false);
  assert.strictEqual(await does('touch', 'n', 100), true);
  assert.strictEqual(await does('del', 'n'), true);
  assert.ok(await fails('del', 'n'));
  assert.match((await does('version'))[0].version, /^1\./);
}

work().then(() => client.end()).catch((error) => {
  console.error(error);
  process.exit(1);
});
