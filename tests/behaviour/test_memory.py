"""Memory that is full, is shared out anew, grows and shrinks."""
import time
import unittest

from client import Client, keys
from procs import BUILD, Node, wait_until


class Memory(unittest.TestCase):
    def start(self, *arguments):
        node = Node('-t', '2', *arguments)
        self.addCleanup(node.stop)
        self.node = node
        client = Client(node)
        self.addCleanup(client.close)
        return client

    @unittest.skipIf(BUILD.endswith('tsan'), 'upkeep keeps pace, but not ten times slower')
    def test_another_size_finds_room_in_memory_that_is_full(self):
        client = self.start('-m', '64')
        client.set_all(keys(b'large', 8000), b'x' * 10000)
        self.assertEqual(client.set_all(keys(b'small', 12000), b'y' * 300), (12000, set()))
        self.assertGreaterEqual(client.count_found(keys(b'small', 12000), b'y' * 300), 10800)
        self.assertGreater(int(client.stats()['slabs_moved']), 10)

    def test_clients_that_stall_half_way_do_not_hold_memory_back(self):
        client = self.start('-m', '32')
        client.set_all(keys(b'large', 4000), b'x' * 10000)
        for i in range(40):
            stalled = Client(self.node)
            self.addCleanup(stalled.close)
            stalled.socket.sendall(b'set stalled-%d 0 0 10000\r\nhalf' % i)
        for part in range(20):
            names = keys(b'small-%d' % part, 500)
            self.assertEqual(client.set_all(names, b'y' * 300), (500, set()))
            time.sleep(0.02)
        found = sum(client.count_found(keys(b'small-%d' % part, 500), b'y' * 300)
                    for part in range(20))
        self.assertGreaterEqual(found, 7000)

    def test_no_size_is_refused_while_another_has_all_memory(self):
        client = self.start('-m', '8', '-o', 'no_slab_reassign,no_slab_automove', '-I', '512k')
        client.set_all(keys(b'a', 100000), b'x' * 20)
        for size in (100, 700, 3000, 9000, 30000, 100000, 500000):
            self.assertEqual(client.set_all([b'k'], b'v' * size), (1, set()), size)
            self.assertEqual(client.count_found([b'k'], b'v' * size), 1, size)

    def test_a_page_moves_on_command(self):
        client = self.start('-o', 'slab_automove=0')
        names = keys(b'k', 9000)
        client.set_all(names, b'x' * 30)
        before = client.stats('slabs')
        source = max((int(value), name) for name, value in before.items()
                     if name.endswith(':total_pages'))[1].split(':')[0]
        self.assertEqual(client.ask('slabs reassign %s 5' % source), 'OK')
        wait_until(lambda: client.stats()['slab_reassign_running'] == '0', 'the page moved')
        after = client.stats('slabs')
        self.assertEqual(int(after['5:total_pages']), 1)
        self.assertEqual(int(after[source + ':total_pages']),
                         int(before[source + ':total_pages']) - 1 +
                         int(client.stats()['slab_reassign_rescues'] != '0'))
        self.assertEqual(client.count_found(names, b'x' * 30), 9000)
        for line, answer in (('1 1', 'SAME'), ('5 1', 'NOSPARE'), ('-2 1', 'BADCLASS'),
                             ('1 300', 'BADCLASS'), ('a 1', 'CLIENT_ERROR')):
            self.assertEqual(client.ask('slabs reassign ' + line).split()[0], answer)

    def test_the_memory_limit_goes_up_and_down(self):
        client = self.start('-m', '64')
        client.set_all(keys(b'k', 30000), b'x' * 5000)
        self.assertGreater(int(client.stats()['total_items']), 29999)
        held = lambda: int(client.stats('slabs')['total_malloced'])
        self.assertLessEqual(held(), 66 << 20)
        self.assertEqual(client.ask('cache_memlimit 128'), 'OK')
        client.set_all(keys(b'k', 30000), b'x' * 5000)
        self.assertGreater(held(), 120 << 20)
        self.assertEqual(client.ask('cache_memlimit 16'), 'OK')
        wait_until(lambda: held() <= 16 << 20, 'memory is given back')
        self.assertEqual(client.stats()['limit_maxbytes'], str(16 << 20))
        self.assertGreater(client.count_found(keys(b'k', 30000), b'x' * 5000), 1000)
        self.assertEqual(client.ask('cache_memlimit 7').split()[0], 'MEMLIMIT_TOO_SMALL')

    def test_memory_taken_at_the_start_stays_as_it_is(self):
        client = self.start('-m', '16', '-L')
        self.assertEqual(client.ask('cache_memlimit 64').split()[0], 'MEMLIMIT_ADJUST_FAILED')
        client.set_all(keys(b'k', 5000), b'x' * 5000)
        self.assertGreater(client.count_found(keys(b'k', 5000), b'x' * 5000), 2500)

    def test_an_item_for_which_there_is_no_memory_is_no_miss(self):
        full = 'SERVER_ERROR out of memory'
        for command, made, missed in (('mg', 'HD W', 'EN'), ('ma', 'HD', 'NF')):
            client = self.start('-m', '8', '-M', '-I', '1m')
            _, others = client.set_all(keys(b'fill', 1500), b'x' * 10000)
            self.assertEqual(others, {b'SERVER_ERROR out of memory storing object\r\n'})
            client.file.write(b''.join(b'%s k%d N100\r\n' % (command.encode(), i)
                                       for i in range(6000)))
            client.file.flush()
            answers = [client.file.readline().decode().strip() for _ in range(6000)]
            self.assertEqual((answers[0], answers[-1], set(answers)), (made, full, {made, full}))
            self.assertEqual(client.ask(command + ' k5999 N100 q k'), full)
            self.assertEqual(client.ask(command + ' k5999'), missed)

    def test_without_evictions_nothing_is_lost(self):
        client = self.start('-m', '8', '-M', '-I', '1m')
        names = keys(b'k', 2000)
        stored, others = client.set_all(names, b'x' * 9000)
        self.assertEqual(others, {b'SERVER_ERROR out of memory storing object\r\n'})
        self.assertGreater(stored, 700)
        self.assertEqual(client.count_found(names, b'x' * 9000), stored)
        self.assertEqual(client.stats()['evictions'], '0')
        client.ask('delete k-1')
        self.assertEqual(client.set_all([b'other'], b'x' * 9000), (1, set()))

    def test_sizes_are_the_operators(self):
        client = self.start('-o', 'slab_sizes=100-200-400,slab_chunk_max=16')
        for size in (20, 150, 350, 1000):
            client.set_all([b'k%d' % size], b'x' * size)
        client.set_all([b'pieces'], b'x' * 100000)
        slabs = client.stats('slabs')
        sizes = {int(value) for name, value in slabs.items() if name.endswith(':chunk_size')}
        self.assertEqual(sizes, {104, 200, 400, 16384})
        self.assertEqual(client.count_found([b'pieces'], b'x' * 100000), 1)

    def test_temporary_items_are_not_evicted(self):
        client = self.start('-m', '8', '-I', '1m', '-o', 'temporary_ttl=300')
        temporary = keys(b'temporary', 500)
        client.set_all(temporary, b'x' * 3000, ttl=300)
        client.set_all(keys(b'other', 10000), b'y' * 3000)
        self.assertEqual(client.count_found(temporary, b'x' * 3000), 500)
        self.assertEqual(sum(int(value) for name, value in client.stats('items').items()
                             if name.endswith(':number_temp')), 500)

    @unittest.skipIf(BUILD.endswith('tsan'), 'upkeep keeps pace, but not ten times slower')
    def test_segments_have_their_shares_or_are_none(self):
        client = self.start('-m', '16', '-o', 'hot_lru_pct=10')
        share = lambda what: sum(int(value) for name, value in client.stats('items').items()
                                 if name.endswith(':number_' + what))
        client.set_all(keys(b'k', 60000), b'x' * 500)
        wait_until(lambda: share('hot') * 100 <= 14 * int(client.stats()['curr_items']),
                      'HOT shrinks to its share')
        self.assertEqual(client.ask('lru tune 50 20 0.9 2.0'), 'OK')
        client.set_all(keys(b'l', 60000), b'x' * 500)
        self.assertGreater(share('hot') * 100, 30 * int(client.stats()['curr_items']))
        self.assertEqual(client.ask('lru mode flat'), 'OK')
        client.set_all(keys(b'm', 60000), b'x' * 500)
        wait_until(lambda: share('hot') + share('warm') < 100, 'items go to COLD')


if __name__ == '__main__':
    unittest.main()
