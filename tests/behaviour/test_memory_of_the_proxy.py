"""What a burst of requests takes of a proxy's memory, and that it gives it back. The release
build is measured: a sanitizer's memory is its own."""
import contextlib
import os
import subprocess
import time
import unittest
from unittest import mock

import procs
from procs import ROOT, Node, Proxy, pool

BENCH = os.path.join(ROOT, 'tests', 'bench')
RELEASE = os.path.join(ROOT, 'build', 'release')


def memory_mb(process, what):
    with open('/proc/%d/status' % process.pid) as status:
        return int([line for line in status if line.startswith(what)][0].split()[1]) / 1024


class Burst(unittest.TestCase):
    def test_five_hundred_clients_with_sixty_four_requests_each(self):
        subprocess.run(['make', '-s', '-C', BENCH, 'load'], check=True)
        with contextlib.ExitStack() as stack:
            stack.enter_context(mock.patch.object(procs, 'BUILD', RELEASE))
            nodes = [stack.enter_context(Node('-t', '1')) for _ in range(2)]
            proxy = stack.enter_context(Proxy(pool(nodes)))
            subprocess.run([os.path.join(BENCH, 'load'), '-p', str(proxy.port), '-c', '500', '-d',
                            '64', '-g', '1', '-N', '10000', '-n', '500000', '-L', '--stall', '60'],
                           check=True, stdout=subprocess.DEVNULL)
            self.assertLess(memory_mb(proxy.process, 'VmHWM'), 60)
            until = time.monotonic() + 10
            while memory_mb(proxy.process, 'VmRSS') >= 10:
                self.assertLess(time.monotonic(), until)
                time.sleep(0.1)


if __name__ == '__main__':
    unittest.main()
