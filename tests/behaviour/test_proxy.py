"""cacheproxy from outside: real processes, real and fake nodes."""
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", "asan")
PROXY = os.environ.get("CACHEPROXY", f"{ROOT}/build/{BUILD}/cacheproxy")
NODE = os.environ.get("CACHENODE", f"{ROOT}/build/{BUILD}/cachenode")


def free_port():
    while True:
        port = random.randint(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"nobody listens on {port}")


class FakeNode:
    """Answers each line that comes with the next of its replies, in the pieces given."""

    def __init__(self, *replies):
        self.replies = list(replies)
        self.seen = b""
        self.listener = socket.create_server(("127.0.0.1", free_port()))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            while True:
                conn, _ = self.listener.accept()
                conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.talk, args=(conn,), daemon=True).start()
        except OSError:
            pass

    def talk(self, conn):
        try:
            for line in conn.makefile("rb"):
                self.seen += line
                pieces = self.replies.pop(0) if self.replies else []
                for piece in [pieces] if isinstance(pieces, bytes) else pieces:
                    conn.sendall(piece)
                    time.sleep(0.002)
        except OSError:
            pass

    def close(self):
        self.listener.close()


class ProxyTest(unittest.TestCase):
    def spawn(self, *command):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def node(self):
        port = free_port()
        user = ["-u", "root"] if os.geteuid() == 0 else []
        self.spawn(NODE, *user, "-p", str(port), "-l", "127.0.0.1", "-U", "0")
        wait_for(port)
        return port

    def fake(self, *replies):
        node = FakeNode(*replies)
        self.addCleanup(node.close)
        return node

    def proxy(self, ports, **keys):
        self.port, self.stats_port = free_port(), free_port()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        with open(f"{folder.name}/c.yml", "w") as conf:
            conf.write(f"a:\n  listen: 127.0.0.1:{self.port}\n")
            for key, value in keys.items():
                conf.write(f"  {key}: {value}\n")
            conf.write("  servers:\n")
            for index, port in enumerate(ports):
                conf.write(f"    - 127.0.0.1:{port}:1 n{index}\n")
        self.process = self.spawn(PROXY, "-c", f"{folder.name}/c.yml", "-a", "127.0.0.1", "-s",
                                  str(self.stats_port))
        wait_for(self.port)

    def ask(self, text):
        """Sends, closes the sending half, and returns all that comes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as conn:
            conn.sendall(text)
            conn.shutdown(socket.SHUT_WR)
            return self.read_all(conn)

    def read_all(self, conn):
        answer = b""
        while True:
            try:
                part = conn.recv(65536)
            except ConnectionResetError:
                return answer
            if not part:
                return answer
            answer += part

    def stats(self):
        with socket.create_connection(("127.0.0.1", self.stats_port), timeout=5) as conn:
            return json.loads(self.read_all(conn))


class RealNodes(ProxyTest):
    def test_order_over_three_nodes(self):
        self.proxy([self.node() for _ in range(3)])
        sets = b"".join(b"set k%d 0 0 3 noreply\r\n%03d\r\n" % (i, i) for i in range(200))
        gets = b"".join(b"get k%d\r\n" % i for i in range(200))
        want = b"".join(b"VALUE k%d 0 3\r\n%03d\r\nEND\r\n" % (i, i) for i in range(200))
        self.assertEqual(self.ask(sets + gets), want)

    def test_multiget_with_misses_and_duplicates(self):
        self.proxy([self.node() for _ in range(3)])
        sets = b"".join(b"set k%d 0 0 1 noreply\r\n%d\r\n" % (i, i) for i in range(9))
        want = b"".join(b"VALUE k%d 0 1\r\n%d\r\n" % (i, i) for i in (3, 1, 3, 8)) + b"END\r\n"
        self.assertEqual(self.ask(sets + b"get k3 none k1 k3 nix k8\r\n"), want)

    def test_dead_node_fails_only_its_keys(self):
        self.proxy([self.node(), free_port()], hash="md5")
        keys = [b"k%d" % i for i in range(30)]
        answers = self.ask(b"".join(b"get %s\r\n" % k for k in keys)).split(b"\r\n")[:-1]
        self.assertEqual(len(answers), 30)
        self.assertEqual(set(answers), {b"END", b"SERVER_ERROR Connection refused"})
        self.assertEqual(self.ask(b"get " + b" ".join(keys) + b"\r\n"), b"END\r\n")

    def test_bad_input(self):
        self.proxy([self.node()])
        bad = b"CLIENT_ERROR bad command line format\r\n"
        self.assertEqual(self.ask(b"get a\0b\r\nget a\rb\r\nget ok\r\n"), bad + bad + b"END\r\n")
        self.assertEqual(self.ask(b"get x\nversion\n"), b"END\r\nVERSION 1.6.45\r\n")
        self.assertEqual(self.ask(b"flush_all\r\nfoo\r\nmn\r\n"), b"ERROR\r\nERROR\r\nMN\r\n")
        self.assertTrue(self.ask(b"set k 0 0 4294967297\r\n").startswith(b"CLIENT_ERROR"))
        self.assertEqual(self.ask(b"set k 0 0 1\r\nabcget k\r\n"),
                         b"CLIENT_ERROR bad data chunk\r\nEND\r\n")
        self.assertEqual(self.ask(b"GET / HTTP/1.1\r\nset k 0 0 1\r\na\r\n"), b"")
        self.assertEqual(self.ask(b"get k\r\n"), b"END\r\n")

    def test_quit_in_a_pipeline(self):
        self.proxy([self.node()])
        self.assertEqual(self.ask(b"get a\r\nquit\r\nget b\r\n"), b"END\r\n")

    def test_noreply_then_get(self):
        self.proxy([self.node()])
        self.assertEqual(self.ask(b"set a 5 0 1 noreply\r\nx\r\nget a\r\ndelete a noreply\r\nget a\r\n"),
                         b"VALUE a 5 1\r\nx\r\nEND\r\nEND\r\n")

    def test_lengths_around_buffers(self):
        self.proxy([self.node(), self.node()])
        for around in (2048, 16352, 65536, 131072):
            for size in range(around - 3, around + 4):
                value = random.randbytes(size)
                answer = self.ask(b"set v 0 0 %d\r\n%s\r\nget v\r\n" % (size, value))
                self.assertEqual(answer, b"STORED\r\nVALUE v 0 %d\r\n%s\r\nEND\r\n" % (size, value))

    def test_stats_and_drain(self):
        self.proxy([self.node()])
        self.ask(b"get a\r\n")
        stats = self.stats()
        self.assertEqual(list(stats), ["service", "source", "version", "uptime", "timestamp",
                                       "total_connections", "curr_connections", "a"])
        self.assertEqual(list(stats["a"])[:7],
                         ["client_eof", "client_err", "client_connections", "server_ejects",
                          "forward_error", "fragments", "n0"])
        self.assertEqual(stats["a"]["n0"]["responses"], 1)
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(8), 0)


class FakeNodes(ProxyTest):
    def test_timeout(self):
        self.proxy([self.fake().port], timeout=150)
        self.assertEqual(self.ask(b"get a\r\nget b\r\n"),
                         b"SERVER_ERROR Connection timed out\r\n" * 2)

    def test_hostile_replies(self):
        for reply in (b"VALUE zzz 0 1\r\nx\r\nEND\r\n", b"VALUE a 0 1\r\nx\r\nVALUE a 0 1\r\nx\r\nEND\r\n",
                      b"VALUE a 0 1 7\r\nx\r\nEND\r\n", b"VALUE " + b"k" * 300 + b" 0 1\r\nx\r\nEND\r\n",
                      b"STORED\r\n", b"VALUE a 0 1\r\nxyzEND\r\n", b"x" * 100000):
            with self.subTest(reply=reply[:40]):
                self.proxy([self.fake(reply).port], timeout=2000)
                self.assertEqual(self.ask(b"get a\r\n"), b"SERVER_ERROR Invalid argument\r\n")

    def test_extra_value_in_a_multiget(self):
        self.proxy([self.fake(b"VALUE a 0 1\r\nx\r\nVALUE c 0 1\r\nx\r\nEND\r\n").port])
        self.assertEqual(self.ask(b"get a b\r\n"), b"SERVER_ERROR Invalid argument\r\n")

    def test_replies_in_two_pieces(self):
        reply = b"VALUE a 0 3\r\nxyz\r\nEND\r\n"
        node = self.fake(*[[reply[:cut], reply[cut:]] for cut in range(1, len(reply))])
        self.proxy([node.port])
        self.assertEqual(self.ask(b"get a\r\n" * (len(reply) - 1)), reply * (len(reply) - 1))

    def test_ejection_and_return(self):
        self.proxy([free_port(), self.fake(*[b"END\r\n"] * 99).port], auto_eject_hosts="true", hash="md5",
                   server_failure_limit=1, server_retry_timeout=60000)
        for i in range(20):
            self.ask(b"get k%d\r\n" % i)
        self.assertEqual(self.stats()["a"]["server_ejects"], 1)
        self.assertEqual(self.ask(b"".join(b"get k%d\r\n" % i for i in range(20))), b"END\r\n" * 20)


if __name__ == "__main__":
    unittest.main()
