"""A node whose memory is a file is ended and started again."""
import os
import shutil
import signal
import tempfile
import time
import unittest

from client import Client, keys
from procs import Node

PATIENCE_S = 30


class Restart(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(dir='/dev/shm' if os.path.isdir('/dev/shm') else None)
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = os.path.join(self.folder, 'memory')
        self.image = self.file + '.meta'

    def start(self, *arguments):
        node = Node('-v', '-t', '2', '-e', self.file, *(arguments or ('-m', '16')))
        return node, Client(node)

    def end(self, node, client, number=signal.SIGTERM):
        client.close()
        node.process.send_signal(number)
        self.assertEqual(node.process.wait(PATIENCE_S), 0)
        node.stop()

    def fill(self):
        """A node with items of all kinds that has ended; their count."""
        node, client = self.start()
        client.set_all(keys(b'small', 2000), b'x' * 100)
        client.set_all(keys(b'large', 5), b'y' * 200000)
        client.set_all([b'mortal'], b'z', ttl=1000)
        client.set_all([b'short'], b'z', ttl=1)
        client.set_all([b'deleted'], b'z')
        client.ask('delete deleted')
        cas = self.cas(client, 'mortal')
        self.end(node, client)
        return cas

    def cas(self, client, key):
        line = client.ask('gets ' + key)
        client.file.readline()
        client.file.readline()
        return int(line.split()[4])

    def check_warm(self, client):
        self.assertEqual(client.count_found(keys(b'small', 2000), b'x' * 100), 2000)
        self.assertEqual(client.count_found(keys(b'large', 5), b'y' * 200000), 5)
        self.assertEqual(client.count_found([b'deleted'], b'z'), 0)

    def check_cold(self, *arguments):
        node, client = self.start(*arguments)
        self.assertEqual(client.stats()['curr_items'], '0')
        self.assertEqual(client.set_all(keys(b'k', 100), b'x' * 100), (100, set()))
        client.close()
        self.assertIn('starting cold', node.said())
        node.stop()

    def check_refused(self, why):
        try:
            node = Node('-m', '16', '-e', self.file)  # the port is there before the memory
        except AssertionError as error:
            self.assertIn(why, str(error))
            return
        self.assertNotEqual(node.process.wait(PATIENCE_S), 0)
        self.assertIn(why, node.said())
        node.stop()

    def test_no_two_nodes_have_the_same_memory(self):
        node, client = self.start()
        client.set_all(keys(b'small', 2000), b'x' * 100)
        self.check_refused('another process has the memory file')
        self.assertEqual(client.count_found(keys(b'small', 2000), b'x' * 100), 2000)
        self.end(node, client)
        node, client = self.start()
        self.assertEqual(client.count_found(keys(b'small', 2000), b'x' * 100), 2000)
        self.end(node, client)

    def test_items_expiries_and_cas_continue(self):
        cas = self.fill()
        time.sleep(1.1)
        node, client = self.start()
        self.check_warm(client)
        self.assertEqual(client.count_found([b'short'], b'z'), 0)
        self.assertLess(998 - 60, int(client.ask('mg mortal t').split()[1][1:]))
        self.assertEqual(self.cas(client, 'mortal'), cas)
        client.set_all([b'new'], b'x')
        self.assertGreater(self.cas(client, 'new'), cas)
        self.assertEqual(int(client.stats()['curr_items']), 2007)
        client.ask('flush_all')
        self.end(node, client, signal.SIGUSR1)
        node, client = self.start()
        self.assertEqual(client.count_found(keys(b'small', 2000), b'x' * 100), 0)
        self.end(node, client)

    def test_a_full_node_works_on_after_its_restart(self):
        node, client = self.start('-m', '8', '-I', '1m')
        for size in (50, 500, 5000, 50000):
            client.set_all(keys(b'k%d' % size, 20000000 // size // 4), b'x' * size)
        items = int(client.stats()['curr_items'])
        self.end(node, client)
        node, client = self.start('-m', '8', '-I', '1m')
        self.assertGreater(int(client.stats()['curr_items']), items * 0.9)
        for size in (5000, 50, 50000, 500):
            names = keys(b'l%d' % size, 4)
            self.assertEqual(client.set_all(names, b'x' * size), (4, set()))
            self.assertEqual(client.count_found(names, b'x' * size), 4)
        self.end(node, client)

    def test_after_a_crash_or_with_other_options_it_starts_cold(self):
        self.fill()
        self.check_cold('-m', '32')
        self.fill()
        self.check_cold('-m', '16', '-C')
        self.fill()
        node, client = self.start()
        client.ask('mn') # it has taken the image by then, and not only bound its port
        client.close()
        node.kill()
        self.check_cold()

    def test_a_damaged_file_is_found_out(self):
        self.fill()
        size = os.path.getsize(self.image)
        with open(self.image, 'rb') as image, open(self.file, 'rb') as file:
            images, memory = image.read(), file.read()
        damages = [('cut', self.image, at) for at in (0, 1, 100, size // 2, size - 1)]
        damages += [('flip', self.image, at) for at in (3, 20, 1200, size - 60, size - 4)]
        damages += [('cut', self.file, at) for at in (0, 140000, 1 << 20)]
        damages += [('flip', self.file, at) for at in (131072 + 13, 131072 + 200, 300000)]
        for what, path, at in damages:
            for name, content in ((self.image, images), (self.file, memory)):
                with open(name, 'wb') as file:
                    file.write(content)
            with open(path, 'r+b') as file:
                if what == 'cut':
                    file.truncate(at)
                else:
                    file.seek(at)
                    byte = file.read(1)[0]
                    file.seek(at)
                    file.write(bytes([byte ^ 0x10]))
            with self.subTest(what=what, path=os.path.basename(path), at=at):
                self.check_cold()


if __name__ == '__main__':
    unittest.main()
