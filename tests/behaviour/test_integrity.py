"""Many clients pipeline through the pool; every reply is checked against what was stored."""
import contextlib
import json
import os
import subprocess
import unittest

from procs import ROOT, Node, Proxy, pool

BENCH = os.path.join(ROOT, 'tests', 'bench')
REQUESTS = int(os.environ.get('INTEGRITY_REQUESTS', '1000000'))


class Integrity(unittest.TestCase):
    def test_no_reply_is_wrong_lost_or_out_of_order(self):
        subprocess.run(['make', '-s', '-C', BENCH, 'load'], check=True)
        with contextlib.ExitStack() as stack:
            nodes = [stack.enter_context(Node()) for _ in range(3)]
            proxy = stack.enter_context(Proxy(pool(nodes)))
            run = subprocess.run([os.path.join(BENCH, 'load'), '-p', str(proxy.port), '-c', '8',
                                  '-d', '32', '-g', '0.7', '-N', '20000', '-n', str(REQUESTS),
                                  '-L', '--stall', '60', '--json'],
                                 stdout=subprocess.PIPE, text=True, timeout=600)
        result = json.loads(run.stdout)
        self.assertGreaterEqual(result['ops'], REQUESTS)
        self.assertEqual((result['bad'], result['errors'], result['misses']), (0, 0, 0))


if __name__ == '__main__':
    unittest.main()
