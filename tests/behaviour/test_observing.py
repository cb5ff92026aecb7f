"""What an operator sees of a pool: statistics of its nodes added up, latencies, slow requests."""
import time
import unittest

from client import Client
from fakes import TalkingNode, value_of
from procs import Node, Proxy, page, pool


class StatsOfAPool(unittest.TestCase):
    def setUp(self):
        self.nodes = [Node() for _ in range(3)]
        self.proxy = Proxy(pool(self.nodes, 'allow_flush_all: true'))
        self.client = Client(self.proxy)
        self.keys = [b'key-%d' % i for i in range(300)]
        self.assertEqual(self.client.set_all(self.keys, b'v' * 50)[0], 300)

    def tearDown(self):
        self.client.close()
        self.proxy.stop()
        for node in self.nodes:
            node.stop()

    def each(self, what=''):
        for node in self.nodes:
            client = Client(node)
            yield client.stats(what)
            client.close()

    def test_numbers_are_added_and_what_is_no_sum_is_not(self):
        summed, each = self.client.stats(), list(self.each())
        self.assertEqual(summed['curr_items'], '300')
        self.assertEqual(summed['cmd_set'], '300')
        self.assertEqual(int(summed['limit_maxbytes']), sum(int(s['limit_maxbytes']) for s in each))
        self.assertEqual(summed['pointer_size'], '64')
        self.assertEqual(summed['version'], each[0]['version'])
        self.assertEqual(summed['accepting_conns'], '1')
        self.assertLess(float(summed['rusage_user']), 60)
        self.assertEqual(list(summed), list(each[0]))

    def test_settings_are_those_of_the_first_but_for_what_is_shared_out(self):
        summed, each = self.client.stats('settings'), list(self.each('settings'))
        self.assertEqual(int(summed['maxconns']), sum(int(s['maxconns']) for s in each))
        self.assertEqual(summed['growth_factor'], each[0]['growth_factor'])

    def test_items_and_slabs_are_added_by_class(self):
        items = self.client.stats('items')
        self.assertEqual(sum(int(v) for k, v in items.items() if k.endswith(':number')), 300)
        slabs, each = self.client.stats('slabs'), list(self.each('slabs'))
        name = next(k for k in slabs if k.endswith(':chunk_size'))
        self.assertEqual(slabs[name], each[0][name])
        self.assertEqual(slabs['active_slabs'], each[0]['active_slabs'])

    def test_a_node_that_is_gone_is_left_out(self):
        self.nodes[0].kill()
        left = sum(int(s['curr_items']) for s in
                   (self.stats_of(node) for node in self.nodes[1:]))
        self.assertEqual(self.client.stats()['curr_items'], str(left))
        self.nodes.pop(0).stop()

    def stats_of(self, node):
        client = Client(node)
        found = client.stats()
        client.close()
        return found

    def test_other_statistics_are_refused(self):
        self.assertEqual(self.client.ask('stats conns'), 'ERROR')
        self.assertEqual(self.client.ask('stats reset'), 'ERROR')

    def test_flush_all_goes_to_all(self):
        self.assertEqual(self.client.ask('flush_all'), 'OK')
        self.assertEqual(self.client.count_found(self.keys, b'v' * 50), 0)
        self.client.set_all(self.keys, b'v')
        self.client.file.write(b'flush_all 0 noreply\r\n')
        self.assertEqual(self.client.ask('get key-1'), 'END')

    def test_latencies_are_told_by_pool_and_server(self):
        text = page(self.proxy, '/metrics')[1]
        counts = [int(line.rsplit(' ', 1)[1]) for line in text.splitlines()
                  if line.startswith('cacheproxy_server_request_duration_seconds_count')]
        self.assertEqual(sum(counts), 300)
        self.assertIn('cacheproxy_server_request_duration_seconds_bucket{pool="pool",'
                      'server="node0",le="+Inf"} ', text)


class FlushAll(unittest.TestCase):
    def test_it_is_refused_unless_it_is_allowed(self):
        with Node() as node, Proxy(pool([node])) as proxy:
            client = Client(proxy)
            client.ask('set k 0 0 1\r\nv')
            self.assertEqual(client.ask('flush_all'), 'ERROR')
            self.assertEqual(client.ask('delete k'), 'DELETED')
            client.close()


class SlowLog(unittest.TestCase):
    def test_a_slow_request_is_logged_with_its_key_and_server(self):
        def slow(connection):
            with connection.makefile('rb') as lines:
                for line in lines:
                    time.sleep(0.03)  # the slowness that the test is about
                    connection.sendall(value_of(line))

        with TalkingNode(slow) as node, Proxy(pool([node], 'slowlog_ms: 20')) as proxy:
            client = Client(proxy)
            self.assertEqual(client.ask('get a-slow-key'), 'VALUE a-slow-key 0 10')
            client.close()
            self.assertRegex(proxy.said(), r"slow: pool 'pool', server 'node0': get 'a-slow-key' "
                                           r'took \d+\.\d{3} ms')

    def test_at_most_five_a_second_are_logged(self):
        def slow(connection):
            with connection.makefile('rb') as lines:
                for line in lines:
                    time.sleep(0.002)
                    connection.sendall(value_of(line))

        with TalkingNode(slow) as node, Proxy(pool([node], 'slowlog_ms: 1')) as proxy:
            client = Client(proxy)
            begun = time.monotonic()
            for _ in range(200):
                client.ask('get k')
                client.file.readline()
                client.file.readline()
            client.close()
            seconds = int(time.monotonic() - begun) + 2
            self.assertLessEqual(proxy.said().count('slow: '), 5 * seconds)


if __name__ == '__main__':
    unittest.main()
