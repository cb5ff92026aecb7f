"""Lines with odd spaces and ends: a proxy answers as a node does, and what it sends on is
canonical."""
import contextlib
import socket
import unittest

from procs import Node, Proxy, pool

COMMANDS = (b'get k', b'gets k', b'gat 0 k', b'get k l', b'set k 0 0 1', b'add n 0 0 1',
            b'append k 0 0 1', b'cas k 0 0 1 5', b'incr c 1', b'decr c 1', b'touch k 0', b'delete l',
            b'version', b'mn')
ENDS = (b'\n', b'\r\n', b'\r\r\n', b'\0\r\n', b' \n', b'  \r\n', b'\r')


def talk(port, text):
    """All that is answered until the connection ends, as it does when all was said."""
    with socket.create_connection(('127.0.0.1', port), 20) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            return b''.join(iter(lambda: connection.recv(65536), b''))
    return b''


class Lines(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.node = stack.enter_context(Node('-C'))
        self.backend = stack.enter_context(Node('-C'))
        self.proxy = stack.enter_context(Proxy(pool([self.backend])))
        for node in (self.node, self.backend):
            talk(node.port, b'set k 5 0 1\r\nx\r\nset l 0 0 1\r\ny\r\nset c 0 0 1\r\n7\r\n')

    def test_any_end_of_a_line_means_the_same_to_both(self):
        for command in COMMANDS:
            value = b'z\r\n' if command.split()[0] in (b'set', b'add', b'append', b'cas') else b''
            for end in ENDS:
                text = command + end + value + b'mn\r\n'
                direct, proxied = talk(self.node.port, text), talk(self.proxy.port, text)
                if b'\0' in end or end.startswith(b'\r\r') or end == b'\r':
                    # A key may have such a byte in a node; through a proxy it is refused.
                    self.assertTrue(proxied == direct or b'ERROR' in proxied, (text, proxied))
                else:
                    self.assertEqual(proxied, direct, text)

    def test_any_number_of_spaces_is_as_good_as_one(self):
        expected = talk(self.node.port, b'get k l\r\n')
        for count in (*range(1, 300), 1000, 2000, 2040, 2047, 2048, 2049, 4096, 16384):
            for head in (b'get', b'gat 0'):
                text = head + b' ' * count + b'k l\r\n'
                self.assertEqual(talk(self.proxy.port, text), expected, count)
                self.assertEqual(talk(self.node.port, text), expected, count)

    def test_a_key_cannot_carry_a_command(self):
        self.assertEqual(talk(self.proxy.port, b'get x\nflush_all\r\nget k\r\n'),
                         b'END\r\nERROR\r\nVALUE k 5 1\r\nx\r\nEND\r\n')
        for key in (b'a\0b', b'a\rb', b'\0', b'\r'):
            for line in (b'get %s', b'set %s 0 0 0\r\n', b'delete %s', b'touch %s 0'):
                self.assertIn(b'ERROR', talk(self.proxy.port, line % key + b'\r\n'), (line, key))
        self.assertEqual(talk(self.proxy.port, b'get k\r\n'), b'VALUE k 5 1\r\nx\r\nEND\r\n')


if __name__ == '__main__':
    unittest.main()
