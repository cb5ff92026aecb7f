"""O-18: the host of a node loses its power. Nobody says so: packets go nowhere, and no end of a
connection is ever told. In network namespaces of its own, for which it calls itself."""
import contextlib
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
from fakes import FakeNode, Wire, stats_of  # noqa: E402
from procs import Proxy, free_port, wait_until  # noqa: E402

KEYS = [b'key%d' % i for i in range(40)]


def run(*command):
    subprocess.run(command, check=True)


class Host:
    """A namespace with a node in it, at the other end of a cable."""

    def __init__(self, stack):
        self.holder = subprocess.Popen(['unshare', '-n', 'sleep', '1000'])
        stack.callback(self.end, self.holder)
        self.inside = ['nsenter', '-t', str(self.holder.pid), '-n']
        own = os.readlink('/proc/self/ns/net')
        wait_until(lambda: os.readlink('/proc/%d/ns/net' % self.holder.pid) != own)
        run('ip', 'link', 'set', 'lo', 'up')
        run('ip', 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far')
        run('ip', 'link', 'set', 'far', 'netns', str(self.holder.pid))
        run('ip', 'addr', 'add', '10.9.0.1/24', 'dev', 'near')
        run('ip', 'link', 'set', 'near', 'up')
        run(*self.inside, 'ip', 'addr', 'add', '10.9.0.2/24', 'dev', 'far')
        run(*self.inside, 'ip', 'link', 'set', 'far', 'up')
        self.port = free_port()
        self.node = subprocess.Popen(self.inside + [
            sys.executable, os.path.abspath(__file__), 'node', str(self.port)])
        stack.callback(self.end, self.node)

    def end(self, process):
        process.kill()
        process.wait()

    def lose_power(self):
        # What is sent to it is lost behind its end of the cable; there is no error to be had.
        run(*self.inside, 'ip', 'addr', 'del', '10.9.0.2/24', 'dev', 'far')

    def regain_power(self):
        run(*self.inside, 'ip', 'addr', 'add', '10.9.0.2/24', 'dev', 'far')


def be_a_node(port):
    FakeNode('far', host='10.9.0.2', port=int(port))
    time.sleep(1000)


def inner():
    with contextlib.ExitStack() as stack:
        host = Host(stack)
        near = stack.enter_context(FakeNode('near'))
        for lines in '', '  auto_eject_hosts: true\n  server_retry_timeout: 200\n':
            proxy = stack.enter_context(Proxy(
                'pool:\n  listen: 127.0.0.1:%%d\n  hash: murmur\n  timeout: 500\n%s  servers:\n'
                '    - 10.9.0.2:%d:1 far\n    - 127.0.0.1:%d:1 near\n' % (lines, host.port,
                                                                           near.port)))
            wire = stack.enter_context(Wire(proxy))
            wait_until(lambda: {wire.get(key) for key in KEYS} == {'near', 'far'}, proxy.said)
            host.lose_power()
            began = time.monotonic()
            wait_until(lambda: [wire.get(key) for key in KEYS] and
                       stats_of(proxy)['far']['down'] == 1, proxy.said)
            detected = time.monotonic() - began
            assert detected < 8, detected  # two timeouts and a probe; the system's would be 900 s
            began = time.monotonic()
            answers = [wire.get(key) for key in KEYS]
            assert time.monotonic() - began < 2
            errors = sum(isinstance(answer, bytes) for answer in answers)
            assert (errors == 0) == bool(lines), answers
            host.regain_power()
            began = time.monotonic()
            wait_until(lambda: {wire.get(key) for key in KEYS} == {'near', 'far'}, proxy.said)
            assert time.monotonic() - began < 8  # the next probe, at most a second or two
            proxy.stop()
    print('inner: done')


class PowerLoss(unittest.TestCase):
    def test_it_is_found_out_within_timeouts_and_mended_with_the_next_probe(self):
        alone = ['unshare', '-rn']
        if subprocess.run(alone + ['true'], capture_output=True).returncode != 0:
            self.skipTest('no namespaces are to be had here')
        done = subprocess.run(alone + [sys.executable, os.path.abspath(__file__), 'inner'],
                              capture_output=True, text=True, timeout=200)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn('inner: done', done.stdout)


if __name__ == '__main__':
    if sys.argv[1:] == ['inner']:
        inner()
    elif sys.argv[1:2] == ['node']:
        be_a_node(sys.argv[2])
    else:
        unittest.main()
