"""Random commands to one redis-server, and to three behind a cacheproxy: the answers are the
same.

SEED=n replays a run; COMMANDS=n makes it longer. What is random or goes by the clock is left
out, members without an order are sorted, and unknown commands are refused in other words."""
import contextlib
import os
import random
import re
import unittest

from procs import Proxy, Redis, pool
from resp import Wire, read_raw, request

SEED = int(os.environ.get('SEED', random.SystemRandom().randrange(1 << 32)))
COMMANDS = int(os.environ.get('COMMANDS', '40000'))
RUN_MAX = 50
KEYS = {kind: ['%s%d' % (kind, i) for i in range(6)]
        for kind in ('str', 'num', 'list', 'hash', 'set', 'zset', 'hll', 'bits', 'geo', 'stream')}
TIMES = ['100', '100000', '-1', '0']
VALUES = ['', 'x', '7', '-12', '1.5', 'two words', 'a\r\nb', '\0', 'v' * 100, 'w' * 3000]
# Numbers among them are either small, or too large to make room for.
ODD = ['', 'abc', '-1', '1.5', '99999999999999999999', '99999999999', ' 1', '0', 'nan', '\r\n',
       '\0\xff', 'x' * 300]
# K: a key of the kind; V: a value; I: an index; F: a field or member; S: a score; T: a time.
COMMANDS_OF = {
    'str': ['SET K V', 'SET K V NX', 'SET K V XX GET', 'SET K V EX 100', 'SET K V KEEPTTL',
            'SETNX K V', 'SETEX K T V', 'PSETEX K 100000 V', 'GET K', 'GETSET K V', 'GETDEL K',
            'GETEX K EX 100', 'GETEX K PERSIST', 'APPEND K V', 'STRLEN K', 'GETRANGE K I I',
            'SUBSTR K I I', 'SETRANGE K 5 V', 'EXPIRE K T', 'PEXPIRE K 100000', 'EXPIRE K T NX',
            'EXPIREAT K 4000000000', 'PERSIST K', 'TTL K', 'PTTL K', 'TYPE K', 'OBJECT ENCODING K',
            'DEL K', 'EXISTS K', 'UNLINK K', 'TOUCH K'],
    'num': ['INCR K', 'DECR K', 'INCRBY K I', 'DECRBY K I', 'INCRBYFLOAT K S', 'GET K',
            'SET K 10', 'DEL K'],
    'list': ['LPUSH K V V', 'RPUSH K V', 'LPUSHX K V', 'RPUSHX K V', 'LPOP K', 'RPOP K 2', 'LLEN K',
             'LRANGE K I I', 'LINDEX K I', 'LSET K I V', 'LREM K I V', 'LTRIM K I I',
             'LINSERT K BEFORE V V', 'LPOS K V', 'LPOS K V COUNT 0', 'SORT K ALPHA',
             'SORT K LIMIT 0 3', 'DEL K'],
    'hash': ['HSET K F V F V', 'HMSET K F V', 'HSETNX K F V', 'HGET K F', 'HMGET K F F', 'HGETALL K',
             'HKEYS K', 'HVALS K', 'HLEN K', 'HEXISTS K F', 'HSTRLEN K F', 'HDEL K F F',
             'HINCRBY K F I', 'HINCRBYFLOAT K F S', 'DEL K'],
    'set': ['SADD K F F', 'SREM K F', 'SMEMBERS K', 'SISMEMBER K F', 'SMISMEMBER K F F', 'SCARD K',
            'DEL K'],
    'zset': ['ZADD K S F S F', 'ZADD K NX S F', 'ZADD K GT CH S F', 'ZADD K INCR S F', 'ZREM K F',
             'ZCARD K', 'ZSCORE K F', 'ZMSCORE K F F', 'ZRANK K F', 'ZREVRANK K F', 'ZINCRBY K S F',
             'ZRANGE K I I WITHSCORES', 'ZREVRANGE K I I', 'ZRANGEBYSCORE K -inf S',
             'ZRANGEBYSCORE K (S +inf LIMIT 0 2', 'ZCOUNT K -inf S', 'ZLEXCOUNT K - +',
             'ZRANGEBYLEX K - +', 'ZPOPMIN K', 'ZPOPMAX K 2', 'ZREMRANGEBYRANK K I I',
             'ZREMRANGEBYSCORE K S S', 'DEL K'],
    'hll': ['PFADD K F F', 'PFCOUNT K', 'DEL K'],
    'bits': ['SETBIT K 7 1', 'SETBIT K 100 0', 'GETBIT K 7', 'BITCOUNT K', 'BITCOUNT K I I',
             'BITPOS K 1', 'BITFIELD K INCRBY u8 0 I', 'BITFIELD_RO K GET u4 0', 'DEL K'],
    'geo': ['GEOADD K S S F', 'GEODIST K F F km', 'GEOHASH K F', 'GEOPOS K F F', 'DEL K'],
    'stream': ['XLEN K', 'XADD K 5-* F V', 'XRANGE K - +', 'XREVRANGE K + - COUNT 2', 'XDEL K 5-1',
               'XTRIM K MAXLEN 3', 'DEL K'],
}
SEVERAL = ['MGET K K K K', 'DEL K K', 'EXISTS K K K', 'UNLINK K K', 'TOUCH K K K', 'MSET K V K V K V']
NOT_REDIS = ['PING', 'PING V', 'ECHO V', 'NONSENSE V', 'GET', 'SET K', 'MSET K V K']
UNORDERED = {'SMEMBERS', 'HGETALL', 'HKEYS', 'HVALS'}
BY_THE_CLOCK = {'TTL', 'PTTL'}
UNKNOWN = re.compile(rb"^-ERR unknown (command|subcommand).*\r\n$", re.DOTALL)


class Generator:
    """Commands as lists of words, one of four of them mutated."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, things):
        return self.random.choice(things)

    def fill(self, word, kind):
        fillers = {'K': KEYS[kind], 'V': VALUES, 'T': TIMES, 'F': ['f1', 'f2', '3', 'four', ''],
                   'I': ['0', '1', '-1', '2', '-3', '50'], 'S': ['1', '2.5', '-3', '0', '1e3']}
        if word == '(S':
            return '(' + self.pick(fillers['S'])
        return self.pick(fillers[word]) if word in fillers else word

    def mutate(self, words):
        how = self.random.randrange(4)
        if how == 0:
            words[0] = self.pick([words[0].lower(), words[0].capitalize(), words[0] + 'X'])
        elif how == 1 and len(words) > 2:
            words[self.random.randrange(2, len(words))] = self.pick(ODD)
        elif how == 2:
            del words[self.random.randrange(1, len(words)):]
        else:
            words.append(self.pick(ODD + ['NX', 'GET', 'LIMIT']))
        return words

    def command(self):
        kind = self.pick(list(KEYS))
        chance = self.random.random()
        if chance < 0.1:
            return [self.fill(word, self.pick(list(KEYS))) for word in self.pick(SEVERAL).split()]
        if chance < 0.13:
            return [self.fill(word, kind) for word in self.pick(NOT_REDIS).split()]
        row = self.pick(COMMANDS_OF[kind])
        if self.random.random() < 0.05:
            kind = self.pick(list(KEYS))  # of the wrong type
        words = [self.fill(word, kind) for word in row.split()]
        # A word more of PFCOUNT's would be a key of, perhaps, another server.
        may_be_longer = words[0] != 'PFCOUNT'
        return self.mutate(words) if may_be_longer and self.random.random() < 0.25 else words

    def written(self, words):
        """As an array, or where it can be, at times as a line."""
        if all(re.fullmatch('[A-Za-z0-9_.+-]+', word) for word in words) and \
                self.random.random() < 0.1:
            return ' '.join(words).encode() + b'\r\n'
        return request(*[word.encode('latin-1') for word in words])


def masked(words, reply):
    name = words[0].upper()
    if name in UNORDERED and reply[:1] == b'*':
        bulk = re.findall(rb'\$\d+\r\n', reply)
        return [sorted(bulk), sorted(reply)]
    if name in BY_THE_CLOCK and reply[:1] == b':' and reply[1:2] != b'-':
        return b':<time>\r\n'
    return UNKNOWN.sub(b'-<unknown>\r\n', reply)


class Differential(unittest.TestCase):
    def ask(self, wire, commands):
        wire.socket.sendall(b''.join(commands))
        return [read_raw(wire.file) for _ in commands]

    def test_three_servers_behind_a_proxy_and_one(self):
        generator, outcomes = Generator(SEED), set()
        with contextlib.ExitStack() as stack:
            start = stack.enter_context
            they = start(Wire(start(Redis())))
            we = start(Wire(start(Proxy(pool([start(Redis()) for _ in range(3)],
                                             'redis: true')))))
            for number in range(0, COMMANDS, RUN_MAX):
                run = [generator.command() for _ in range(RUN_MAX)]
                written = [generator.written(words) for words in run]
                for words, theirs, ours in zip(run, self.ask(they, written),
                                               self.ask(we, written)):
                    outcomes.add((words[0].upper(), ours[:1]))
                    self.assertEqual(masked(words, ours), masked(words, theirs),
                                     'SEED=%d, from command %d: %r' % (SEED, number, words))
        # Nothing of the table was idle: each command was once answered, and no error.
        for row in sum(COMMANDS_OF.values(), SEVERAL):
            name = row.split()[0]
            self.assertTrue(any((name, kind) in outcomes for kind in (b'$', b':', b'*', b'+')),
                            'SEED=%d: %s' % (SEED, name))


if __name__ == '__main__':
    unittest.main()
