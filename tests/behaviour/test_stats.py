"""What stats tells: its length, keys by prefix, the items of a class, their sizes."""
import re
import struct
import unittest

from client import Client, keys
from procs import Node


class Stats(unittest.TestCase):
    def start(self, *arguments):
        node = Node('-t', '2', *arguments)
        self.addCleanup(node.stop)
        return self.client(node)

    def client(self, node):
        client = Client(node)
        client.node = node
        self.addCleanup(client.close)
        return client

    def lines(self, client, command):
        """Its answer up to END, which is left out."""
        found = []
        line = client.ask(command)
        while line != 'END':
            found.append(line)
            line = client.file.readline().decode().strip()
        return found

    def set(self, client, key, value='x', ttl=0):
        self.assertEqual(client.ask('set %s 0 %d %d\r\n%s' % (key, ttl, len(value), value)),
                         'STORED')

    def prefixes(self, client):
        """Gets, hits, sets and deletes by prefix."""
        found = {}
        for line in self.lines(client, 'stats detail dump'):
            match = re.fullmatch(r'PREFIX (.*) get (\d+) hit (\d+) set (\d+) del (\d+)', line)
            found[match.group(1)] = tuple(int(match.group(i)) for i in range(2, 6))
        return found

    def test_the_whole_answer_fits_in_a_page_whatever_the_counts_are(self):
        client = self.start('-o', 'idle_timeout=100', '-D', '/')
        digits = str(2 ** 64 - 1)
        length = len('END\r\n')
        names = []
        for line in self.lines(client, 'stats'):
            _, name, value = line.split(' ', 2)
            names.append(name)
            value = re.sub(r'^\d+(\.\d{6})?$', lambda match: digits + (match.group(1) or ''), value)
            length += len('STAT %s %s\r\n' % (name, value))
        self.assertGreater(length, 90 * 30)
        self.assertLess(length, 4096)
        for name in ('idle_kicks', 'rejected_connections', 'slabs_moved', 'lru_crawler_running'):
            self.assertIn(name, names)

    def test_detail_counts_gets_hits_sets_and_deletes_by_prefix(self):
        client = self.start()
        self.set(client, 'before:1')
        self.assertEqual(client.ask('stats detail on'), 'OK')
        self.assertEqual(client.stats('settings')['detail_enabled'], 'yes')
        self.set(client, 'a:1')
        self.set(client, 'a:2:3')
        self.set(client, ':empty')
        self.set(client, 'none')
        self.lines(client, 'get a:1 a:9 none b:1')
        self.lines(client, 'gat 0 a:1')
        client.ask('replace b:1 0 0 1\r\nx')
        client.ask('touch b:1 0')
        client.ask('incr b:1 1')
        client.ask('delete a:1')
        client.ask('delete b:1')
        client.ask('ms m:1 1\r\nx')
        client.ask('mg m:1')
        client.ask('mg m:2')
        client.ask('md m:1')
        self.assertEqual(self.prefixes(client), {'a': (3, 2, 2, 1), 'b': (1, 0, 1, 1),
                                                 '': (0, 0, 1, 0), 'm': (2, 1, 1, 1)})
        self.assertEqual(client.ask('stats detail off'), 'OK')
        self.lines(client, 'get a:1')
        self.assertEqual(self.prefixes(client)['a'], (3, 2, 2, 1))
        self.assertEqual(client.ask('stats reset'), 'RESET')
        self.assertEqual(self.prefixes(client), {})

    def test_detail_takes_effect_for_the_rest_of_a_batch(self):
        client = self.start()
        client.file.write(b'get a:1\r\nstats detail on\r\nget a:1\r\nget a:1\r\n'
                          b'stats detail off\r\nget a:1\r\n')
        client.file.flush()
        self.assertEqual([client.file.readline() for _ in range(6)],
                         [b'END\r\n', b'OK\r\n', b'END\r\n', b'END\r\n', b'OK\r\n', b'END\r\n'])
        self.assertEqual(self.prefixes(client), {'a': (2, 0, 0, 0)})

    def test_another_delimiter_turns_detail_on_from_the_start(self):
        client = self.start('-D', '/')
        self.set(client, 'a:b/c')
        self.assertEqual(self.prefixes(client), {'a:b': (0, 0, 1, 0)})
        settings = client.stats('settings')
        self.assertEqual((settings['stat_key_prefix'], settings['detail_enabled']), ('/', 'yes'))

    def test_clients_of_all_threads_are_counted_together(self):
        client = self.start('-D', ':')
        others = [self.client(client.node) for _ in range(4)]
        for other in others:
            other.set_all(keys(b'x:', 500), b'v')
        self.assertEqual(self.prefixes(client), {'x': (0, 0, 2000, 0)})

    def test_there_is_an_end_to_how_many_prefixes_are_kept(self):
        client = self.start('-D', ':')
        client.count_found([b'%d:k' % i for i in range(66000)], b'')
        self.assertEqual(len(self.prefixes(client)), 65536)

    def binary(self, client, opcode, key, extras=b'', value=b''):
        """The bodies, key and value, of the packets that answer."""
        body = extras + key + value
        client.file.write(struct.pack('>BBHBBHIIQ', 0x80, opcode, len(key), len(extras), 0, 0,
                                      len(body), 0, 0) + body)
        client.file.flush()
        found = []
        while True:
            head = struct.unpack('>BBHBBHIIQ', client.file.read(24))
            body = client.file.read(head[6])
            found.append((head[5], body[head[3]:head[3] + head[2]], body[head[3] + head[2]:]))
            if opcode != 0x10 or not body or head[5] != 0:
                return found

    def test_binary_clients_are_counted_and_may_ask(self):
        client = self.client(self.start().node)
        self.assertEqual(self.binary(client, 0x10, b'detail on'), [(0, b'', b'')])
        self.binary(client, 0x01, b'b:1', extras=b'\0' * 8, value=b'v')
        self.binary(client, 0x00, b'b:1')
        self.binary(client, 0x1c, b'b:1', extras=b'\0' * 4)
        self.binary(client, 0x04, b'b:2')
        self.assertEqual(self.binary(client, 0x10, b'detail dump'),
                         [(0, b'detailed', b'PREFIX b get 1 hit 1 set 1 del 1\r\nEND\r\n'),
                          (0, b'', b'')])
        self.assertEqual(self.binary(client, 0x10, b'detail what')[0][0], 1)
        self.assertEqual(self.binary(client, 0x10, b'cachedump 1 0')[0][0], 1)
        self.assertEqual(self.binary(client, 0x10, b'sizes_enable'),
                         [(0, b'sizes_status', b'enabled'), (0, b'', b'')])

    def class_of(self, client, key):
        return int(re.search(r' cls=(\d+) ', client.ask('me ' + key)).group(1))

    def test_cachedump_lists_the_items_of_a_class_and_no_others(self):
        client = self.start()
        small = keys(b'small', 3000)
        client.set_all(small, b'x')
        client.set_all(keys(b'large', 50), b'x' * 5000)
        self.set(client, 'over', ttl=-1)
        self.set(client, 'a\tb\0c', ttl=1000)
        client.ask('ms c21hbGw= 1 b\r\nx')
        lines = self.lines(client, 'stats cachedump %d 0' % self.class_of(client, 'small-1'))
        listed = [re.fullmatch(r'ITEM (\S+) \[1 b; (\d+) s\]', line.replace('\t', '?'))
                  for line in lines]
        found = {match.group(1): int(match.group(2)) for match in listed}
        self.assertEqual(set(found), {key.decode() for key in small} | {'a?b\0c'})
        now = int(client.stats()['time'])
        self.assertIn(found.pop('a?b\0c') - now, range(995, 1003))
        self.assertEqual(set(found.values()), {0})
        large = self.class_of(client, 'large-1')
        self.assertEqual(len(self.lines(client, 'stats cachedump %d 7' % large)), 7)

    def test_the_end_of_an_item_is_always_the_same_second(self):
        client = self.start()
        self.set(client, 'k', ttl=1000)
        class_id = self.class_of(client, 'k')
        now = begin = int(client.stats()['time'])
        ends = set()
        while now < begin + 3:
            ends.add(self.lines(client, 'stats cachedump %d 0' % class_id)[0].split()[-2])
            self.assertEqual(client.ask('lru_crawler metadump all'), 'OK')
            ends.add(re.search(' exp=(\\d+) ', client.file.readline().decode()).group(1))
            self.assertEqual(client.file.readline(), b'END\r\n')
            now = int(client.stats()['time'])
        self.assertEqual(len(ends), 1, ends)
        self.assertIn(int(ends.pop()) - begin, range(998, 1002))

    def test_cachedump_lists_values_in_pieces_in_the_largest_class(self):
        client = self.start()
        self.set(client, 'pieces', 'x' * 500000)
        self.set(client, 'small')
        lines = self.lines(client, 'stats cachedump %d 0' % self.class_of(client, 'pieces'))
        self.assertEqual(lines, ['ITEM pieces [500000 b; 0 s]'])

    def test_cachedump_ends_at_two_megabytes(self):
        client = self.start()
        client.set_all(keys(b'k' * 200, 20000), b'x')
        lines = self.lines(client, 'stats cachedump %d 0' % self.class_of(client, 'k' * 200 + '-1'))
        length = sum(len(line) + 2 for line in lines)
        self.assertLess(length, 2 << 20)
        self.assertGreater(length, (2 << 20) - 400)

    def test_cachedump_and_detail_are_refused_where_dumps_are(self):
        client = self.start('-X')
        self.assertEqual(client.ask('stats cachedump 1 0'),
                         'CLIENT_ERROR stats cachedump not allowed')
        self.assertEqual(client.ask('stats detail on'), 'CLIENT_ERROR stats detail not allowed')

    def test_a_class_there_is_not_is_refused(self):
        client = self.start()
        for wrong in ('stats cachedump 128 0', 'stats cachedump 4294967295 0'):
            self.assertEqual(client.ask(wrong), 'CLIENT_ERROR Illegal slab id')
        self.assertEqual(self.lines(client, 'stats cachedump 0 0'), [])

    def test_sizes_are_told_while_that_is_enabled(self):
        client = self.start()
        self.set(client, 'k')
        self.assertEqual(self.lines(client, 'stats sizes'), ['STAT sizes_status disabled'])
        self.assertEqual(self.lines(client, 'stats sizes_enable'), ['STAT sizes_status enabled'])
        self.assertEqual(self.lines(client, 'stats sizes'), ['STAT 64 1'])
        self.assertEqual(client.stats('settings')['track_sizes'], 'yes')
        self.assertEqual(self.lines(client, 'stats sizes_disable'), ['STAT sizes_status disabled'])
        self.assertEqual(self.lines(client, 'stats sizes'), ['STAT sizes_status disabled'])


if __name__ == '__main__':
    unittest.main()
