"""O-17: the wall clock is set an hour ahead and back while a node and a proxy are at work: nothing
expires that should not, and no timer sticks."""
import json
import os
import re
import subprocess
import tempfile
import time
import unittest

import procs
from client import Client
from fakes import TalkingNode
from procs import BUILD, ROOT, Node, Proxy, pool


class ClockSteps(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        library = os.path.join(folder.name, 'clock.so')
        subprocess.run(['cc', '-shared', '-fPIC', '-o', library,
                        os.path.join(ROOT, 'tests', 'lib', 'clock.c'), '-ldl'], check=True)
        linked = subprocess.run(['ldd', os.path.join(BUILD, 'cacheproxy')], capture_output=True,
                                text=True, check=True).stdout
        # A sanitizer has to come first.
        sanitizers = re.findall(r'=> (\S*lib[at]san\S*)', linked)
        self.step_path = os.path.join(folder.name, 'step')
        self.env = {'CLOCK_STEP': self.step_path, 'LD_PRELOAD': ' '.join(sanitizers + [library])}
        self.step(0)

    def step(self, seconds):
        with open(self.step_path + '.new', 'w') as file:
            file.write('%d\n' % seconds)
        os.rename(self.step_path + '.new', self.step_path)

    def test_a_nodes_items_live_as_long_as_they_were_to(self):
        with Node(env=self.env) as node:
            client = Client(node)
            client.ask('set long 0 100 1\r\nx')
            client.ask('set ever 0 0 1\r\nx')
            for seconds in (3600, -3600, 0):
                self.step(seconds)
                before = int(client.stats()['uptime'])
                client.ask('set short 0 1 1\r\nx')
                procs.wait_until(lambda: client.ask('mg short') == 'EN')
                for key in 'long', 'ever':
                    self.assertEqual(client.ask('mg %s' % key), 'HD')
                self.assertLess(int(client.stats()['uptime']) - before, 30)
            client.close()

    def test_a_proxys_timeouts_last_as_long_as_they_were_to(self):
        def silent(connection):
            while connection.recv(4096):
                pass

        with Node() as node, TalkingNode(silent) as mute:
            text = pool([node]) + pool([mute], 'timeout: 200').replace('pool:', 'mute:').replace(
                '%d', '%%d').replace('%%d', str(procs.free_port()), 1)
            with Proxy(text, env=self.env) as proxy:
                port = int(re.search(r'mute:\n  listen: 127.0.0.1:(\d+)', text).group(1))
                for seconds in (3600, -3600, 0):
                    self.step(seconds)
                    told = json.loads(procs.page(proxy, '/stats.json')[1])['timestamp']
                    self.assertAlmostEqual(told, time.time() + seconds, delta=60)
                    client = Client(proxy)
                    self.assertEqual(client.ask('get k'), 'END')
                    client.close()
                    other = Client(type('There', (), {'port': port}))
                    self.assertEqual(other.ask('get k'), 'SERVER_ERROR Connection timed out')
                    other.close()


if __name__ == '__main__':
    unittest.main()
