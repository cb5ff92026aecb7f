"""Redis' protocol, as plain Python: words out, replies in."""

from peer import Peer


class Error(str):
    """A reply that begins with a minus."""


def request(*words):
    words = [str(word).encode() if isinstance(word, (str, int, float)) else word for word in words]
    return b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(word), word)
                                             for word in words)


def read_line(file):
    line = file.readline()
    if not line.endswith(b'\r\n'):
        raise EOFError('%r is no line' % line)
    return line


def read_raw(file):
    """The bytes of a reply."""
    raw, left = [], 1
    while left:
        left -= 1
        line = read_line(file)
        raw.append(line)
        if line[:1] == b'*':
            left += max(0, int(line[1:]))
        elif line[:1] == b'$' and line != b'$-1\r\n':
            raw.append(file.read(int(line[1:]) + 2))
    return b''.join(raw)


def read(file):
    """Bulk strings are bytes or None, arrays lists, +lines str, -lines Error."""
    line = read_line(file)
    kind, rest = line[:1], line[1:-2]
    if kind == b'$':
        return None if rest == b'-1' else file.read(int(rest) + 2)[:-2]
    if kind == b'*':
        return None if rest == b'-1' else [read(file) for _ in range(int(rest))]
    return {b':': int, b'+': bytes.decode, b'-': lambda text: Error(text.decode())}[kind](rest)


class Wire(Peer):
    """A connection to a program that speaks Redis."""

    def send(self, *words):
        self.socket.sendall(request(*words))

    def read(self):
        return read(self.file)

    def ask(self, *words):
        self.send(*words)
        return read(self.file)

    def ask_raw(self, *words):
        self.send(*words)
        return read_raw(self.file)

    def say(self, data):
        """Sends bytes and reads one reply's."""
        self.socket.sendall(data)
        return read_raw(self.file)
