"""watch: what those who watch a node are told, and that nobody waits for them."""
import re
import shutil
import socket
import struct
import tempfile
import threading
import unittest

import procs
from client import Client, NodeCase, keys
from procs import Node

LINE = re.compile(r'ts=(\d+\.\d{6}) gid=(\d+) type=(\w+) (.*)')


class Watcher(Client):
    """A client that asked for `words` and from then on reads lines."""

    def __init__(self, node, words=''):
        super().__init__(node)
        assert self.ask('watch ' + words) == 'OK'

    def line(self):
        """The next one as its type and fields."""
        text = self.file.readline().decode().rstrip('\n')
        match = LINE.fullmatch(text)
        assert match, text
        return match.group(3), dict(pair.split('=', 1) for pair in match.group(4).split())

    def number(self):
        """The next one's time and number."""
        match = LINE.fullmatch(self.file.readline().decode().rstrip('\n'))
        return float(match.group(1)), int(match.group(2))


class Watching(NodeCase):
    def watch(self, node, words=''):
        watcher = Watcher(node, words)
        self.addCleanup(watcher.close)
        return watcher

    def told(self, watcher, kind, **fields):
        found, values = watcher.line()
        self.assertEqual(found, kind)
        self.assertEqual({name: values.get(name) for name in fields}, fields)
        return values

    def store(self, client, line, value='abc'):
        return client.ask('%s\r\n%s' % (line, value))

    def test_look_ups_are_told_with_what_came_of_them(self):
        node = self.start()
        client, watcher = self.client(node), self.watch(node)
        client.ask('get no')
        self.told(watcher, 'item_get', key='no', status='not_found', clsid='0', size='0')
        self.store(client, 'set a%20b 0 0 3')
        self.told(watcher, 'item_get', key='a%2520b', status='not_found')
        client.ask('mg a%20b')
        self.assertGreater(int(self.told(watcher, 'item_get', key='a%2520b', status='found',
                                         size='3')['clsid']), 0)
        self.store(client, 'set late 0 -1 3')
        self.told(watcher, 'item_get', key='late', status='not_found')
        client.ask('touch late 0')
        self.told(watcher, 'item_get', key='late', status='expired')

    def test_stores_are_told_with_what_came_of_them(self):
        node = self.start('-I', '2k')
        client, watcher = self.client(node), self.watch(node, 'mutations')
        for line, cmd, status in (('set k 0 0 3', 'set', 'stored'),
                                  ('add k 0 0 3', 'add', 'not_stored'),
                                  ('replace n 0 0 3', 'replace', 'not_stored'),
                                  ('prepend n 0 0 3', 'prepend', 'not_stored'),
                                  ('cas k 0 0 3 99999', 'cas', 'exists'),
                                  ('cas n 0 0 3 1', 'cas', 'not_found'),
                                  ('ms k 3', 'set', 'stored'),
                                  ('ms k 3 ME', 'add', 'not_stored'),
                                  ('ms k 3 C99999', 'cas', 'exists')):
            self.store(client, line)
            self.told(watcher, 'item_store', key=line.split()[1], status=status, cmd=cmd,
                      ttl='0', size='3')
        self.store(client, 'set k 0 1000 3')
        self.assertIn(int(self.told(watcher, 'item_store')['ttl']), (999, 1000))
        self.store(client, 'append k 0 0 3')
        told = self.told(watcher, 'item_store', cmd='append', status='stored', size='6')
        self.assertIn(int(told['ttl']), (998, 999, 1000))
        self.store(client, 'set k 0 0 4000', 'x' * 4000)
        self.told(watcher, 'item_store', key='k', status='too_large', cmd='set', clsid='0',
                  size='4000')

    def test_deletions_are_told_and_nothing_that_was_not_asked_for(self):
        node = self.start()
        client, watcher = self.client(node), self.watch(node, 'deletions')
        for command in ('delete', 'md'):
            self.store(client, 'set k 0 0 3')
            client.ask('get none')
            client.ask('delete none')
            client.ask(command + ' k')
            self.told(watcher, 'deleted', key='k', cmd=command, size='3')

    def test_evictions_are_told(self):
        node = self.start('-m', '8', '-I', '1m')
        client, watcher = self.client(node), self.watch(node, 'evictions')
        names = keys(b'key', 20000)
        client.set_all(names[:10000], b'x' * 1000, ttl=5000)
        client.set_all(names[10000:], b'x' * 1000)
        told = self.told(watcher, 'eviction', fetch='no', size='1000')
        self.assertIn(told['key'].encode(), names)
        self.assertTrue(told['ttl'] == '-1' or 4900 < int(told['ttl']) <= 5000, told)

    def told_of(self, watcher, connection, kind, **fields):
        """The next that is about this connection; others may still be on their way out."""
        port = str(connection.getsockname()[1])
        while True:
            found, values = watcher.line()
            if values['rport'] == port:
                break
        self.assertEqual((found, values['rip'], values['transport']), (kind, '127.0.0.1', 'tcp'))
        self.assertEqual({name: values.get(name) for name in fields}, fields)
        return values

    def test_clients_are_told_that_come_and_go_and_why(self):
        node = self.start('-o', 'idle_timeout=1')
        watcher = self.watch(node, 'connevents')
        client = node.connect()
        fd = self.told_of(watcher, client, 'conn_new')['cfd']
        client.shutdown(socket.SHUT_WR)
        self.told_of(watcher, client, 'conn_close', reason='normal', cfd=fd)
        client.close()
        client = node.connect()
        self.told_of(watcher, client, 'conn_new')
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        port = client.getsockname()[1]
        client.close()
        told = self.told(watcher, 'conn_close', rip='127.0.0.1', rport=str(port), reason='error')
        self.assertGreater(int(told['cfd']), 0)
        client = self.client(node).socket
        self.told_of(watcher, client, 'conn_new')
        self.told_of(watcher, client, 'conn_close', reason='idle_timeout')

    def test_who_was_there_before_is_told_when_he_goes(self):
        node = self.start()
        early = self.client(node)
        early.ask('mn')
        watcher = self.watch(node, 'connevents')
        early.socket.shutdown(socket.SHUT_WR)
        self.told_of(watcher, early.socket, 'conn_close', reason='normal')

    def test_watchers_come_and_go_like_clients_and_are_counted(self):
        node = self.start()
        watcher = self.watch(node, 'connevents')
        other = self.watch(node, 'evictions')
        self.told_of(watcher, other.socket, 'conn_new')
        client = self.client(node)
        while client.stats()['curr_connections'] != '3':
            pass
        self.assertEqual(client.stats()['log_watchers'], '2')
        states = [value for name, value in client.stats('conns').items()
                  if name.endswith(':state')]
        self.assertEqual(states.count('conn_watch'), 2)
        other.socket.shutdown(socket.SHUT_WR)
        self.told_of(watcher, other.socket, 'conn_close', reason='normal')
        while client.stats()['curr_connections'] != '2':
            pass
        self.assertEqual(client.stats()['log_watchers'], '1')

    def test_a_unix_socket_is_told_as_local(self):
        with tempfile.TemporaryDirectory() as folder, \
                Node(unix_path=folder + '/socket') as node, node.connect() as watcher:
            watcher.sendall(b'watch connevents\r\n')
            self.assertEqual(watcher.recv(4), b'OK\r\n')
            node.connect().close()
            with watcher.makefile('rb') as lines:
                while b'type=conn_new' not in (line := lines.readline()):
                    pass
                self.assertRegex(line, b' rip=unix rport=0 transport=local cfd=')
                self.assertRegex(lines.readline(), b'type=conn_close rip=unix rport=0 '
                                                   b'transport=local reason=normal cfd=')

    def test_system_events_are_told(self):
        node = self.start()
        client, watcher = self.client(node), self.watch(node, 'sysevents')
        client.set_all(keys(b'key', 100), b'x')
        client.ask('lru_crawler crawl all')
        told = self.told(watcher, 'lru_crawler')
        while told['examined'] != '100':
            client.ask('lru_crawler crawl all')
            told = self.told(watcher, 'lru_crawler')

    def test_lines_of_all_threads_come_in_the_order_of_their_numbers(self):
        node = self.start('-o', 'worker_logbuf_size=8192,watcher_logbuf_size=65536')
        watcher = self.watch(node, 'mutations')
        writers = [self.client(node) for _ in range(4)]
        threads = [threading.Thread(target=writer.set_all, args=(keys(b'k%d' % i, 2000), b'x'))
                   for i, writer in enumerate(writers)]
        for thread in threads:
            thread.start()
        numbers = [watcher.number()[1] for _ in range(8000)]
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(numbers), list(range(1, 8001)))
        self.assertEqual(writers[0].stats()['log_worker_dropped'], '0')

    def test_who_does_not_read_loses_lines_and_nobody_waits_for_him(self):
        node = self.start('-o', 'watcher_logbuf_size=16')
        client, watcher = self.client(node), self.watch(node)
        while int(client.stats()['log_watcher_skipped']) < 1000:
            client.count_found(keys(b'none', 2000), b'')
        stats = client.stats()
        self.assertGreater(int(stats['log_watcher_sent']), 0)
        seen = lost = 0
        while seen + lost < int(stats['log_watcher_sent']) + int(stats['log_watcher_skipped']):
            line = watcher.file.readline().decode()
            if line.startswith('skipped='):
                lost += int(line.removeprefix('skipped='))
            else:
                self.assertRegex(line, LINE)
                seen += 1
        self.assertGreaterEqual(lost, 1000)

    def test_events_beyond_the_log_are_dropped_and_counted(self):
        node = self.start('-o', 'worker_logbuf_size=1')
        client, watcher = self.client(node), self.watch(node)
        client.count_found(keys(b'none', 5000), b'', batch=5000)
        stats = client.stats()
        written, dropped = int(stats['log_worker_written']), int(stats['log_worker_dropped'])
        self.assertEqual(written + dropped, 5000)
        self.assertGreater(dropped, 1000)
        for _ in range(written):
            self.told(watcher, 'item_get')
        client.ask('stats reset')
        self.assertEqual(client.stats()['log_worker_dropped'], '0')

    def test_what_a_watcher_says_is_not_heard(self):
        node = self.start()
        client, watcher = self.client(node), self.watch(node)
        watcher.socket.sendall(b'set k 0 0 1\r\nx\r\nquit\r\n')
        client.ask('get k')
        self.told(watcher, 'item_get', key='k', status='not_found')

    def test_there_is_an_end_to_how_many_may_watch(self):
        node = self.start()
        watchers = [self.watch(node, 'evictions') for _ in range(20)]
        client = self.client(node)
        self.assertEqual(client.ask('watch evictions'),
                         'WATCHER_TOO_MANY log watcher limit reached')
        self.assertEqual(client.ask('mn'), 'MN')
        watchers[0].close()
        while client.stats()['log_watchers'] != '19':
            pass
        self.watch(node, 'evictions')

    def test_it_can_be_forbidden_and_a_wrong_word_is_refused(self):
        node = self.start('-W')
        self.assertEqual(self.client(node).ask('watch'), 'CLIENT_ERROR watch commands not allowed')
        node = self.start()
        self.assertEqual(self.client(node).ask('watch fetchers and more'), 'ERROR')

    def test_a_node_ends_while_it_is_watched(self):
        node = Node()
        watcher, client = Watcher(node), Client(node)
        client.count_found(keys(b'none', 500), b'')
        node.stop()
        while watcher.file.readline():
            pass
        watcher.close()
        client.close()


# What both tell alike. Not here: what is made by mg with N, which memcached does not tell of; what
# is too large, of which it tells no size; what is over, which it tells as not found; what was
# flushed, which it keeps until somebody looks.
CONVERSATION = [b'get a', b'set a 0 0 3\r\nabc', b'get a a', b'gets a b', b'set b 0 100 3\r\nabc',
                b'add a 0 0 1\r\nx', b'add c 5 0 1\r\nx', b'replace z 0 0 1\r\nx',
                b'replace a 0 0 2\r\nxy', b'append a 0 0 1\r\nx', b'append z 0 0 1\r\nx',
                b'prepend a 0 0 1\r\nx', b'prepend z 0 0 1\r\nx', b'cas a 0 0 1 999\r\nx',
                b'cas z 0 0 1 1\r\nx', b'touch a 100', b'touch z 0', b'gat 100 a z', b'mg a v',
                b'mg z v', b'ms a 1 T20\r\nx', b'ms a 1 ME\r\nx', b'ms a 1 MA\r\nx',
                b'ms z 1 MP\r\nx', b'ms z 1 MR\r\nx', b'set n 0 0 1\r\n5', b'incr n 1',
                b'incr n 100', b'decr n 1', b'incr z 1', b'ma n', b'ma q N0', b'delete n',
                b'delete z', b'md a', b'md z', b'ms AAEC 1 b\r\nx', b'mg AAEC b', b'me b',
                b'set x%20y/\xff 0 0 1\r\nx', b'get x%20y/\xff', b'set a 0 0 1 noreply\r\nx',
                b'version', b'bogus', b'get last']


@unittest.skipUnless(shutil.which('memcached'), 'needs memcached')
class AsMemcached(unittest.TestCase):
    def told(self, port):
        """What a watcher is told of the conversation, without what differs by nature."""
        with socket.create_connection(('127.0.0.1', port), 20) as watcher, \
                socket.create_connection(('127.0.0.1', port), 20) as client, \
                watcher.makefile('rb') as lines:
            watcher.sendall(b'watch fetchers mutations\r\n')
            self.assertEqual(lines.readline(), b'OK\r\n')
            client.sendall(b''.join(command + b'\r\n' for command in CONVERSATION))
            told = [lines.readline().decode()]
            while ' key=last ' not in told[-1]:
                told.append(lines.readline().decode())
        numbers = re.compile(r'(?<=clsid=)[1-9]\d*|(?<=ttl=)[1-9]\d*|(?<=cfd=)\d+')
        return [numbers.sub('N', line.split(' ', 2)[2]) for line in told]

    def test_the_same_conversation_is_told_in_the_same_lines(self):
        with Node('-t', '1') as node, procs.memcached() as port:
            ours, theirs = self.told(node.port), self.told(port)
        self.assertEqual(len(theirs), 69)
        self.assertEqual(ours, theirs)


if __name__ == '__main__':
    unittest.main()
