"""What becomes of an ejected server's keys: rehash, miss, error, or another pool.

The ids in the tests' texts are those of the catalogue of faults."""
import random
import socket
import struct
import unittest

from fakes import FakeNode, Gate, Wire, stats_of
from peer import Case
from procs import Node, Proxy, pool, wait_until

KEYS = [b'key%d' % i for i in range(120)]
EJECTING = ('auto_eject_hosts: true', 'timeout: 2000', 'server_failure_limit: 1')
SOON = ('server_retry_timeout: 30', 'server_retry_timeout_max: 60')
NEVER = ('server_retry_timeout: 600000',)


class OnEject(Case):
    def gates(self, count):
        """Nodes that can be cut off, and come back as they were."""
        nodes = [self.stack.enter_context(Node()) for _ in range(count)]
        return [self.stack.enter_context(Gate(node)) for node in nodes]

    def proxy(self, nodes, *lines):
        return self.stack.enter_context(Proxy(pool(nodes, *EJECTING, *lines)))

    def wire(self, program):
        return self.stack.enter_context(Wire(program))

    def is_down(self, proxy, index):
        return stats_of(proxy)['node%d' % index]['down'] == 1

    def cut_off(self, wire, proxy, gates, index):
        gates[index].shut()
        wait_until(lambda: [wire.get(key) for key in KEYS] and self.is_down(proxy, index))

    def let_back(self, proxy, gates, index):
        gates[index].open()
        wait_until(lambda: not self.is_down(proxy, index), proxy.said)

    def keys_of(self, gate, keys=KEYS):
        """Those that are on the node behind the gate."""
        with Wire(_At(gate.behind)) as wire:
            return [key for key in keys if isinstance(wire.get(key), str)]


class _At:
    def __init__(self, port):
        self.port = port

    def connect(self):
        return socket.create_connection(('127.0.0.1', self.port), 20)


class Miss(OnEject):
    def start(self, *lines):
        self.cut = self.gates(3)
        self.at = self.proxy(self.cut, 'on_eject: miss', *lines)
        self.client = self.wire(self.at)
        for key in KEYS:
            self.assertEqual(self.client.set(key, b'old'), b'STORED\r\n')
        self.mine = self.keys_of(self.cut[0])
        self.assertGreater(len(self.mine), 10)

    def test_each_command_is_answered_as_by_a_server_that_has_no_such_key(self):
        self.start(*NEVER)
        self.cut_off(self.client, self.at, self.cut, 0)
        key = self.mine[0]
        for ask, answer in (
                (b'get %s', b'END'), (b'gets %s', b'END'), (b'gat 9 %s', b'END'),
                (b'set %s 0 0 1\r\nx', b'NOT_STORED'), (b'add %s 0 0 1\r\nx', b'NOT_STORED'),
                (b'replace %s 0 0 1\r\nx', b'NOT_STORED'), (b'append %s 0 0 1\r\nx', b'NOT_STORED'),
                (b'prepend %s 0 0 1\r\nx', b'NOT_STORED'), (b'cas %s 0 0 1 7\r\nx', b'NOT_FOUND'),
                (b'incr %s 1', b'NOT_FOUND'), (b'decr %s 1', b'NOT_FOUND'),
                (b'touch %s 9', b'NOT_FOUND'), (b'delete %s', b'NOT_FOUND'),
                (b'mg %s v', b'EN'), (b'mg %s k O7 v', b'EN k' + key + b' O7'),
                (b'ms %s 1 O1\r\nx', b'NS O1'), (b'md %s k', b'NF k' + key),
                (b'ma %s O12', b'NF O12'), (b'me %s', b'EN'),
                (b'mg %s q v\r\nmn', b'MN'), (b'md %s q\r\nmn', b'NF'),
                (b'set %s 0 0 1 noreply\r\nx\r\nmn', b'MN')):
            wire = self.wire(self.at)
            self.assertEqual(wire.ask(ask.replace(b'%s', key) + b'\r\n'), answer + b'\r\n', ask)

    def test_the_keys_of_others_are_where_they_were_and_several_are_answered_together(self):
        self.start(*NEVER)
        self.cut_off(self.client, self.at, self.cut, 0)
        for key in KEYS:
            self.assertEqual(self.client.get(key), None if key in self.mine else 'old')
        self.client.socket.sendall(b'get %s\r\n' % b' '.join(KEYS))
        found = []
        while (line := self.client.file.readline()) != b'END\r\n':
            found.append(line.split()[1])
            self.client.file.readline()
        self.assertEqual(found, [key for key in KEYS if key not in self.mine])
        self.assertEqual(self.client.ask(b'get %s %s\r\n' % tuple(self.mine[:2])), b'END\r\n')

    def test_a_binary_client_gets_misses_too(self):
        self.start(*NEVER)
        self.cut_off(self.client, self.at, self.cut, 0)
        key = self.mine[0]

        def ask(opcode, extras=b'', value=b''):
            with self.at.connect() as wire:
                wire.sendall(struct.pack('>BBHBBHIIQ', 0x80, opcode, len(key), len(extras), 0, 0,
                                         len(extras) + len(key) + len(value), 1, 0) +
                             extras + key + value)
                return struct.unpack('>H', wire.makefile('rb').read(24)[6:8])[0]
        self.assertEqual(ask(0), 1)  # get: not found
        self.assertEqual(ask(1, b'\0' * 8, b'x'), 5)  # set: not stored
        self.assertEqual(ask(4), 1)  # delete: not found

    def test_what_was_not_stored_is_deleted_before_the_server_is_used_again(self):
        self.start(*SOON)
        changed, deleted, left = self.mine[0], self.mine[1], self.mine[2]
        self.cut_off(self.client, self.at, self.cut, 0)
        self.assertEqual(self.client.set(changed, b'new'), b'NOT_STORED\r\n')
        self.assertEqual(self.client.ask(b'delete %s\r\n' % deleted), b'NOT_FOUND\r\n')
        self.let_back(self.at, self.cut, 0)
        self.assertIsNone(self.client.get(changed))
        self.assertIsNone(self.client.get(deleted))
        self.assertEqual(self.client.get(left), 'old')
        self.assertEqual(self.client.set(changed, b'newer'), b'STORED\r\n')
        self.assertEqual(self.client.get(changed), 'newer')

    def test_what_is_too_much_to_remember_has_the_server_flushed(self):
        self.start(*SOON)
        self.cut_off(self.client, self.at, self.cut, 0)
        many = b''.join(b'set %s-%d 0 0 1 noreply\r\nx\r\n' % (b'k' * 240, i) for i in range(60000))
        self.client.socket.sendall(many)
        self.assertEqual(self.client.ask(b'mn\r\n'), b'MN\r\n')
        self.let_back(self.at, self.cut, 0)
        self.assertEqual([key for key in self.mine if self.client.get(key) is not None], [])
        self.assertEqual(self.keys_of(self.cut[0], self.mine), [])
        for key in KEYS:
            self.assertEqual(self.client.get(key), None if key in self.mine else 'old')

    def test_thousands_of_keys_are_deleted_and_no_others(self):
        self.start(*SOON)
        self.cut_off(self.client, self.at, self.cut, 0)
        self.client.socket.sendall(b''.join(b'set other%d 0 0 1 noreply\r\nx\r\n' % i
                                            for i in range(30000)))
        changed = self.mine[::2]
        for key in changed:
            self.assertEqual(self.client.set(key, b'new'), b'NOT_STORED\r\n')
        self.let_back(self.at, self.cut, 0)
        for key in self.mine:
            self.assertEqual(self.client.get(key), None if key in changed else 'old')


class Stale(OnEject):
    """O-02 and O-03: values that come back."""

    def nine_steps(self, policy):
        """What a get says at the end of twemproxy's issue 604."""
        gates = self.gates(2)
        proxy = self.proxy(gates, 'on_eject: ' + policy, *SOON)
        wire = self.wire(proxy)
        for key in KEYS:
            wire.set(key, b'first')
        key = self.keys_of(gates[0])[0]          # 1: a key is on A
        self.cut_off(wire, proxy, gates, 0)      # 2: A is ejected
        second = wire.set(key, b'second')        # 3: it is written
        self.let_back(proxy, gates, 0)           # 4: A is back
        between = wire.get(key)                  # 5: it is read
        wire.set(key, b'third')                  # 6: and written, on A
        self.assertEqual(wire.get(key), 'third')  # 7
        self.cut_off(wire, proxy, gates, 0)      # 8: A is ejected again
        return second, between, wire.get(key)    # 9: it is read

    def test_a_miss_brings_nothing_old_back(self):
        self.assertEqual(self.nine_steps('miss'), (b'NOT_STORED\r\n', None, None))

    def test_rehash_does_as_nutcracker_does(self):
        """Known, and the default for its sake: the second value is back."""
        self.assertEqual(self.nine_steps('rehash'), (b'STORED\r\n', 'first', 'second'))

    def test_three_proxies_one_of_which_loses_a_node_read_nothing_stale(self):
        """O-02: writes through all of them; a value is stale if a later one was STORED."""
        nodes = [self.stack.enter_context(Node()) for _ in range(3)]
        gate = self.stack.enter_context(Gate(nodes[0]))
        behind = [gate] + nodes[1:]
        proxies = [self.proxy(behind, 'on_eject: miss', *SOON)]
        proxies += [self.proxy(nodes, 'on_eject: miss', *SOON) for _ in range(2)]
        wires = [self.wire(proxy) for proxy in proxies]
        chance, stored, version = random.Random(5), {}, 0
        stale, reads, lost = 0, 0, 0
        for flap in range(6):
            if flap % 2:
                gate.shut()
                wait_until(lambda: [wires[0].get(key) for key in KEYS] and
                           self.is_down(proxies[0], 0))
            elif flap:
                gate.open()
                wait_until(lambda: not self.is_down(proxies[0], 0))
            for _ in range(1500):
                key, wire = chance.choice(KEYS), chance.choice(wires)
                if chance.random() < 0.4:
                    version += 1
                    answer = wire.set(key, b'%d' % version)
                    if answer == b'STORED\r\n':
                        stored[key] = version
                    lost += answer == b'NOT_STORED\r\n'
                else:
                    value = wire.get(key)
                    if isinstance(value, str):
                        reads += 1
                        stale += int(value) < stored.get(key, 0)
        self.assertEqual(stale, 0)
        self.assertGreater(reads, 2000)
        self.assertGreater(lost, 50)


class Error(OnEject):
    def test_its_keys_fail_at_once_and_no_others_move(self):
        gates = self.gates(3)
        proxy = self.proxy(gates, 'on_eject: error', *SOON)
        wire = self.wire(proxy)
        for key in KEYS:
            wire.set(key, b'old')
        mine = self.keys_of(gates[1])
        self.cut_off(wire, proxy, gates, 1)
        error = b'SERVER_ERROR Connection refused\r\n'
        for key in KEYS:
            self.assertEqual(wire.get(key), error if key in mine else 'old')
            self.assertEqual(wire.ask(b'touch %s 0\r\n' % key),
                             error if key in mine else b'TOUCHED\r\n')
        self.let_back(proxy, gates, 1)
        self.assertEqual({wire.get(key) for key in KEYS}, {'old'})


class Failover(OnEject):
    def start(self, *lines):
        self.fakes = [self.stack.enter_context(FakeNode('node%d' % i)) for i in range(3)]
        self.spares = [self.stack.enter_context(FakeNode('spare%d' % i)) for i in range(4)]
        spare = pool(self.spares).replace('pool:', 'spare:').replace('%d', '0', 1)
        text = pool(self.fakes, *EJECTING, 'failover: spare', *lines)
        with socket.create_server(('127.0.0.1', 0)) as probe:
            port = probe.getsockname()[1]
        self.at = self.stack.enter_context(Proxy(text + spare.replace(':0\n', ':%d\n' % port, 1)))
        self.client = self.wire(self.at)
        self.before = {key: self.client.get(key) for key in KEYS}

    def kill(self, index):
        self.fakes[index].stop()
        wait_until(lambda: [self.client.get(key) for key in KEYS] and self.is_down(self.at, index))

    def test_a_dead_servers_keys_are_spread_over_the_other_pool(self):
        """P-34."""
        self.start(*SOON)
        self.kill(2)
        homes = {key: self.client.get(key) for key in KEYS}
        heirs = [homes[key] for key in KEYS if self.before[key] == 'node2']
        self.assertEqual(set(heirs), {'spare0', 'spare1', 'spare2', 'spare3'})
        self.assertLess(max(heirs.count(heir) for heir in set(heirs)), 0.6 * len(heirs))
        for key in KEYS:
            if self.before[key] != 'node2':
                self.assertEqual(homes[key], self.before[key])
        self.client.socket.sendall(b'get %s\r\n' % b' '.join(KEYS))
        for key in KEYS:  # of both pools, in the order of the request
            self.assertEqual(self.client.file.readline().split()[1], key)
            self.assertEqual(self.client.file.readline().strip().decode(), homes[key])
        self.assertEqual(self.client.file.readline(), b'END\r\n')
        self.fakes[2].start()
        wait_until(lambda: {key: self.client.get(key) for key in KEYS} == self.before)

    def test_without_the_other_pool_it_is_as_on_eject_says(self):
        self.start('on_eject: miss', *NEVER)
        self.kill(2)
        mine = [key for key in KEYS if self.before[key] == 'node2']
        self.spares[0].stop()
        answers = {self.client.get(key) for key in mine}
        # The other pool ejects none itself: who is dead there refuses.
        self.assertEqual(answers, {'spare1', 'spare2', 'spare3',
                                   b'SERVER_ERROR Connection refused\r\n'})

    def test_a_reload_may_take_it_away_and_bring_it_back(self):
        self.start(*NEVER)
        self.kill(2)
        key = [key for key in KEYS if self.before[key] == 'node2'][0]
        self.assertTrue(self.client.get(key).startswith('spare'))
        whole = self.at.text()
        self.at.reload(whole.replace('  failover: spare\n', '  on_eject: miss\n').split('spare:')[0])
        self.assertIsNone(self.client.get(key))
        self.at.reload(whole)
        self.assertTrue(self.client.get(key).startswith('spare'))


if __name__ == '__main__':
    unittest.main()
