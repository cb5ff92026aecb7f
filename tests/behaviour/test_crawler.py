"""Items that are over go by themselves; and dumps of all keys, while others are served."""
import unittest

from client import NodeCase, keys
from procs import wait_until


class Crawler(NodeCase):
    def test_what_is_over_is_freed_without_a_command(self):
        client = self.client(self.start())
        client.set_all(keys(b'short', 2000), b'x', ttl=1)
        client.set_all(keys(b'long', 10), b'x')
        wait_until(lambda: client.stats()['curr_items'] == '10')
        stats = client.stats()
        self.assertEqual(stats['crawler_reclaimed'], '2000')
        self.assertGreater(int(stats['crawler_items_checked']), 0)
        self.assertGreater(int(stats['lru_crawler_starts']), 0)

    def test_it_runs_on_command_alone_when_it_is_far_from_its_time(self):
        client = self.client(self.start('-o', 'lru_crawler_sleep=0'))
        before = int(client.stats()['lru_crawler_starts'])
        self.assertEqual(client.ask('lru_crawler crawl all'), 'OK')
        wait_until(lambda: int(client.stats()['lru_crawler_starts']) != before)
        self.assertEqual(client.ask('lru_crawler sleep 2000000'),
                         'CLIENT_ERROR sleep must be one second or less')

    def dump(self, client, kind, end):
        self.assertEqual(client.ask('lru_crawler %s all' % kind), 'OK')
        return [line.split()[0 if kind == 'metadump' else 1]
                for line in iter(client.file.readline, end)]

    def test_a_dump_has_every_key_and_the_connection_goes_on(self):
        node = self.start()
        client = self.client(node)
        names = keys(b'key', 30000)
        client.set_all(names, b'x' * 20)
        self.assertEqual(set(self.dump(client, 'mgdump', b'EN\r\n')), set(names))
        self.assertEqual({line.removeprefix(b'key=') for line in
                          self.dump(client, 'metadump', b'END\r\n')}, set(names))
        self.assertEqual(client.ask('mn'), 'MN')

    def test_a_dump_has_the_classes_that_are_named(self):
        client = self.client(self.start())
        groups = {size: set(keys(b'size%d' % size, 200)) for size in (10, 1000, 20000)}
        classes = {}
        for size, names in groups.items():
            client.set_all(sorted(names), b'x' * size)
            classes[size] = client.ask('me size%d-0' % size).split('cls=')[1].split()[0]
        self.assertEqual(len(set(classes.values())), 3)
        for sizes in ((10,), (20000,), (1000, 20000)):
            for kind, end in (('metadump', b'END\r\n'), ('mgdump', b'EN\r\n')):
                self.assertEqual(client.ask('lru_crawler %s %s' % (
                    kind, ','.join(classes[size] for size in sizes))), 'OK')
                listed = [line.split()[0 if kind == 'metadump' else 1].removeprefix(b'key=')
                          for line in iter(client.file.readline, end)]
                self.assertEqual(sorted(listed),
                                 sorted(name for size in sizes for name in groups[size]))
        self.assertEqual(client.ask('lru_crawler metadump 1,127'), 'BADCLASS invalid class id')

    def test_a_key_is_listed_once_also_while_the_index_grows(self):
        node = self.start('-t', '1', '-o', 'hashpower=12')
        reader, writer = self.client(node), self.client(node)
        names = keys(b'key', 5000)
        reader.set_all(names, b'x' * 20)
        self.assertEqual(reader.ask('lru_crawler mgdump all'), 'OK')
        writer.set_all(keys(b'more', 50000), b'x')
        listed = [line.split()[1] for line in iter(reader.file.readline, b'EN\r\n')]
        self.assertEqual(len(listed), len(set(listed)))
        self.assertLessEqual(set(names), set(listed))

    def test_who_does_not_read_his_dump_holds_nobody_up(self):
        node = self.start('-t', '1')
        slow, other = self.client(node), self.client(node)
        names = keys(b'k' * 100, 60000)
        other.set_all(names, b'x')
        self.assertEqual(slow.ask('lru_crawler mgdump all'), 'OK')
        slow.socket.sendall(b'mn\r\n')
        for _ in range(100):
            self.assertEqual(other.count_found(names[:10], b'x'), 10)
        self.assertEqual(sum(1 for _ in iter(slow.file.readline, b'EN\r\n')), len(names))
        self.assertEqual(slow.file.readline(), b'MN\r\n')

    def test_dumps_can_be_forbidden(self):
        client = self.client(self.start('-X'))
        self.assertEqual(client.ask('lru_crawler metadump all'), 'ERROR metadump not allowed')
        self.assertEqual(client.ask('lru_crawler mgdump all'), 'ERROR key dump not allowed')


if __name__ == '__main__':
    unittest.main()
