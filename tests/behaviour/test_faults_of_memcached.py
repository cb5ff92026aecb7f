"""What memcached's history has had to mend, without a number of its own: each is done to a node,
which answers as it should and is as well afterwards as it was before. The first two kill the
memcached of Debian 12."""
import os
import random
import re
import resource
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import procs
from faults import IS_TSAN, PATIENCE_S, Faults, Talk, packet, replies
from procs import Node, wait_until

GET, SET, GETQ = 0, 1, 9
SCALE = 1 if IS_TSAN else 5
# FAULT_SECONDS makes the long ones last.
SECONDS = float(os.environ.get('FAULT_SECONDS', '3'))


def run_all(*functions):
    """Runs them side by side; an exception of any is raised here."""
    raised = []

    def guarded(function):
        try:
            function()
        except BaseException as exception:  # also what an assertion raises
            raised.append(exception)
    threads = [threading.Thread(target=guarded, args=(each,)) for each in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def run_under_load(node, texts, function):
    """Runs it while clients, one for each text, say theirs over and over."""
    is_over = threading.Event()

    def load(text):
        with Talk(node) as talk:
            while not is_over.is_set():
                talk.answer(text)

    def run():
        try:
            function()
        finally:
            is_over.set()
    run_all(run, *[lambda text=each: load(text) for each in texts])


class Commands(Faults):
    # D-01: kills Debian's memcached
    def test_a_watcher_is_told_of_a_value_that_is_too_large(self):
        node = self.start('-I', '1m')
        with Talk(node) as watcher, Talk(node) as talk:
            self.assertEqual(watcher.line(b'watch mutations\r\n'), b'OK\r\n')
            value = b'x' * 5000000
            talk.send(packet(SET, b'k', bytes(8), value) + packet(0x0a))
            header = talk.file.read(24)
            self.assertEqual(replies(header + talk.file.read(10)), [(3, b'Too large.')])
            self.assertEqual(talk.file.read(24)[:2], b'\x81\x0a')
            self.assertRegex(watcher.line(), rb'type=item_store key=k status=too_large')
            talk.send(packet(SET, b'k', bytes(8), body_len=5000009))
            self.assertEqual(replies(talk.file.read(34)), [(3, b'Too large.')])

    # D-02: kills Debian's memcached with -Y
    def test_a_password_of_two_gigabytes_is_refused(self):
        with tempfile.NamedTemporaryFile('w') as users:
            users.write('u:p\n')
            users.flush()
            node = self.start('-Y', users.name)
            before = self.memory(node)
            with Talk(node) as talk:
                self.assertRegex(talk.line(b'set auth 0 0 2147483647\r\n'), b'^CLIENT_ERROR')
            with Talk(node) as talk:
                talk.send(b'set auth 0 0 500000\r\n' + b'u' * 500000 + b'\r\n')
                self.assertRegex(talk.line(), b'^CLIENT_ERROR')
                self.assertEqual(talk.line(b'set auth 0 0 3\r\nu p\r\n'), b'STORED\r\n')
            self.assertLess(self.memory(node) - before, 4 << 20)

    # D-03
    def test_empty_lines_before_a_login_are_errors(self):
        with tempfile.NamedTemporaryFile('w') as users:
            users.write('u:p\n')
            users.flush()
            node = self.start('-Y', users.name)
            with Talk(node) as talk:
                said = talk.end(b'\n' * 64)
            self.assertRegex(said, rb'^((CLIENT_)?ERROR[^\n]*\r\n)*$')

    # D-04
    def test_a_line_of_spaces_has_an_end(self):
        node = self.start()
        with Talk(node) as talk:
            self.assertRegex(talk.line(b'get' + b' ' * 4096 + b'\r\n'), b'^(CLIENT_)?ERROR')
        for command in (b'get', b'gets', b'set', b''):
            with Talk(node) as talk:
                self.assertEqual(talk.rest(command + b' ' * 3000), b'')

    # D-05
    def test_a_dump_that_is_not_read_is_not_gathered(self):
        node = self.start('-m', '256', '-t', '2')
        count = 40000 * SCALE
        with Talk(node) as talk:
            for start in range(0, count, 10000):
                talk.send(b''.join(b'set key-%d 0 0 1 noreply\r\nx\r\n' % i
                                   for i in range(start, start + 10000)))
            self.assertEqual(talk.answer(b''), [])
            before = self.memory(node)
            slow = self.talk(node)
            self.assertEqual(slow.line(b'lru_crawler metadump all\r\n'), b'OK\r\n')
            waits = []
            for _ in range(1000):
                began = time.monotonic()
                self.assertEqual(talk.line(b'get key-7\r\n'), b'VALUE key-7 0 1\r\n')
                talk.line(), talk.line()
                waits.append(time.monotonic() - began)
            self.assertLess(sorted(waits)[990], 0.1)
            self.assertLess(self.memory(node) - before, 16 << 20)
            lines = 0
            while slow.line() != b'END\r\n':
                lines += 1
            self.assertEqual(lines, count)

    # D-06
    def test_watchers_come_and_go_under_load(self):
        node = self.start('-t', '4')

        def watch():
            for _ in range(300 * SCALE):
                with Talk(node) as talk:
                    self.assertIn(talk.line(b'watch fetchers\r\n').split()[0],
                                  (b'OK', b'WATCHER_TOO_MANY'))

        load = b'set k 0 0 1\r\nx\r\n' + b'get k absent\r\n' * 50
        run_under_load(node, [load], lambda: run_all(watch, watch))

    # D-07
    def test_pages_are_reassigned_between_any_two_numbers(self):
        node = self.start('-t', '1')
        words = (b'OK', b'BUSY', b'BADCLASS', b'NOSPARE', b'NOTFULL', b'UNSAFE', b'SAME')
        with Talk(node) as talk:
            talk.answer(b''.join(b'set k%d 0 0 %d\r\n%s\r\n' % (size, size, b'x' * size)
                                 for size in range(0, 60000, 500)))
            for source in range(-2, 301, 1 if SCALE > 1 else 7):
                said = talk.answer(b''.join(b'slabs reassign %d %d\r\n' % (source, to)
                                            for to in range(-2, 301)))
                self.assertEqual(len(said), 303)
                self.assertEqual({line.split()[0] for line in said} - set(words), set())

    # D-08
    def test_settings_of_the_page_mover_have_bounds(self):
        node = self.start()
        with Talk(node) as talk:
            for line in (b'window 0', b'window 67108864', b'window -1', b'0 0 0', b'ratio 0', b'ratio x',
                         b'ratio 1e999', b'freeratio x', b'1 99999999 2', b'', b'x', b'3', b'window'):
                said = talk.answer(b'slabs automove %s\r\n' % line)
                self.assertEqual(len(said), 1, line)
                self.assertRegex(said[0], b'^(CLIENT_)?ERROR', line)
            time.sleep(1)
            self.assertEqual(talk.answer(b'set k 0 0 1\r\nx\r\n'), [b'STORED\r\n'])

    # D-09
    def test_a_refused_meta_set_keeps_no_memory(self):
        node = self.start('-t', '1')
        count = lambda stats: sum(int(value) for name, value in stats.items()
                                  if name.endswith(':used_chunks'))
        with Talk(node) as talk:
            talk.answer(b'ms k 2\r\nab\r\n')
            before = count(talk.stats(b'slabs'))
            for bad in (b'ms k 2 O%s\r\nab\r\n' % (b'o' * 40), b'ms k 2 MZ\r\nab\r\n'):
                for _ in range(4 * SCALE):
                    said = talk.answer(bad * 1000)
                    self.assertEqual(len(said), 1000)
                    self.assertRegex(said[0], b'^CLIENT_ERROR')
                    self.assertEqual(len(set(said)), 1)
            self.assertEqual(count(talk.stats(b'slabs')), before)

    # D-11
    def test_replies_that_are_not_read_are_not_gathered(self):
        node = self.start('-t', '1')
        with Talk(node) as talk:
            talk.answer(b'set k 0 0 1000\r\n%s\r\n' % (b'x' * 1000))
        before = self.memory(node)
        slow = self.talk(node)
        slow.socket.setblocking(False)
        requests = packet(GETQ, b'k') * 40000
        try:
            while slow.socket.send(requests):
                pass
        except BlockingIOError:
            pass
        self.check_alive(node_without_descriptors(node))
        self.assertLess(self.memory(node) - before, 64 << 20)

    # D-12
    def test_a_get_with_a_body_of_two_gigabytes_is_refused(self):
        node = self.start()
        with Talk(node) as talk:
            said = talk.rest(packet(GET, b'k', body_len=0x80000001))
            self.assertEqual(replies(said), [(4, b'Invalid arguments')])

    # D-13
    def test_a_long_line_for_which_there_is_no_memory_closes_that_client_alone(self):
        """In a release build: a sanitizer has more addresses than could be limited."""
        port = procs.free_port()
        user = ['-u', 'root'] if os.getuid() == 0 else []
        node = subprocess.Popen([os.path.join(procs.ROOT, 'build/release/cachenode'), '-l',
                                 '127.0.0.1', '-p', str(port), '-t', '1'] + user,
                                stderr=subprocess.DEVNULL)
        node.connect = lambda: socket.create_connection(('127.0.0.1', port), PATIENCE_S)
        try:
            wait_until(lambda: procs.listens(port))
            with Talk(node) as talk, Talk(node) as other:
                other.answer(b'set k 0 0 1\r\nx\r\n')
                with open('/proc/%d/status' % node.pid) as status:
                    size = int(re.search(r'VmSize:\s+(\d+)', status.read()).group(1)) << 10
                limit = resource.prlimit(node.pid, resource.RLIMIT_AS)
                resource.prlimit(node.pid, resource.RLIMIT_AS, (size + (128 << 10), limit[1]))
                said = talk.rest(b'get' + b' key' * (8 << 20))
                self.assertIn(said, (b'', b'SERVER_ERROR out of memory reading request\r\n'))
                self.assertEqual(other.answer(b'get k\r\n')[0], b'VALUE k 0 1\r\n')
                resource.prlimit(node.pid, resource.RLIMIT_AS, limit)
                self.assertEqual(other.answer(b'get k\r\n')[0], b'VALUE k 0 1\r\n')
        finally:
            node.terminate()
            self.assertEqual(node.wait(PATIENCE_S), 0)

    # D-14
    def test_a_number_beyond_the_signed_ones_is_a_number(self):
        node = self.start()
        with Talk(node) as talk:
            self.assertEqual(talk.answer(b'set n 0 0 19\r\n9223372036854775808\r\n'
                                         b'set o 0 0 19\r\n-------------------\r\nincr n 1\r\n'),
                             [b'STORED\r\n'] * 2 + [b'9223372036854775809\r\n'])

    # D-15
    def test_an_empty_value_is_no_number_whatever_was_there(self):
        node = self.start('-t', '1')
        with Talk(node) as talk:
            for _ in range(50):
                self.assertRegex(talk.answer(b'set n 0 0 10\r\n1234567890\r\ndelete n\r\n'
                                             b'set n 0 0 0\r\n\r\nincr n 1\r\n')[3],
                                 b'^CLIENT_ERROR cannot increment or decrement non-numeric value')

    # D-16
    def test_an_item_that_is_moved_keeps_its_cas(self):
        node = self.start('-t', '1')
        names = [b'k%d' % i for i in range(5000)]
        with Talk(node) as talk:
            talk.answer(b''.join(b'set %s 0 0 40\r\n%s\r\n' % (name, b'x' * 40) for name in names))
            before = talk.answer(b'gets %s\r\n' % b' '.join(names))
            source = max((int(value), name) for name, value in talk.stats(b'slabs').items()
                         if name.endswith(':total_pages'))[1].split(':')[0]
            moved = int(talk.stats()['slab_reassign_rescues'])
            for _ in range(3):
                talk.answer(b'slabs reassign %s 20\r\n' % source.encode())
                wait_until(lambda: talk.stats()['slab_reassign_running'] == '0')
            self.assertGreater(int(talk.stats()['slab_reassign_rescues']), moved)
            self.assertEqual(talk.answer(b'gets %s\r\n' % b' '.join(names)), before)

    # D-19
    def test_an_index_of_any_size_has_its_buckets(self):
        user = ['-u', 'root'] if os.getuid() == 0 else []
        for power in ('33', '64', '-1', '11'):
            done = subprocess.run([os.path.join(procs.BUILD, 'cachenode'), '-o',
                                   'hashpower=' + power] + user, capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn('hashpower', done.stderr)
        for power in ('12', '31', '32'):
            node = self.start('-o', 'hashpower=' + power, '-t', '1')
            with Talk(node) as talk:
                talk.answer(b''.join(b'set k%d 0 0 1\r\nx\r\n' % i for i in range(3000)))
                said = talk.answer(b''.join(b'get k%d\r\n' % i for i in range(3000)))
                self.assertEqual(len(said), 9000)

    # D-20
    def test_a_key_that_is_too_long_drops_what_was_answered_before_it(self):
        node = self.start('-t', '1')
        bad = b'gets a %s b\r\n' % (b'k' * 251)
        with Talk(node) as talk:
            talk.answer(b'set a 0 0 5000\r\n%s\r\n' % (b'x' * 5000))
            talk.answer(bad * 1000)
            before = self.memory(node)
            for _ in range(10 * SCALE):
                self.assertEqual(set(talk.answer(bad * 1000)),
                                 {b'CLIENT_ERROR bad command line format\r\n'})
            self.assertLess(self.memory(node) - before, 8 << 20)

    # D-21
    def test_replies_come_in_order_while_a_value_stalls(self):
        node = self.start()
        with Talk(node) as talk:
            talk.answer(b'ms k 2\r\nab\r\n')
            talk.send(b'mg k v\r\nmg k s\r\nmg absent v\r\nset s 0 0 10\r\nhalf-')
            self.assertEqual([talk.line() for _ in range(4)],
                             [b'VA 2\r\n', b'ab\r\n', b'HD s2\r\n', b'EN\r\n'])
            self.assertEqual(talk.answer(b'whole\r\nmg s v\r\n'),
                             [b'STORED\r\n', b'VA 10\r\n', b'half-whole\r\n'])

    # D-22, D-23: there is no TLS here, and who tries it all the same changes nothing
    def test_a_handshake_of_tls_is_no_command(self):
        node = self.start()
        hello = bytes.fromhex('16030100c8010000c40303') + os.urandom(194)
        for _ in range(50):
            with Talk(node) as talk:
                talk.end(hello)
            with Talk(node) as talk:
                self.assertEqual(talk.answer(b'set k 0 0 1\r\nx\r\n'), [b'STORED\r\n'])

    # D-28
    def test_a_line_in_pieces_is_the_same_line(self):
        node = self.start('-t', '1')
        line = b'get ' + b' '.join(b'k%d' % i for i in range(10000)) + b'\r\n'
        with Talk(node) as talk:
            talk.answer(b''.join(b'set k%d 0 0 2\r\n%02d\r\n' % (i, i % 100)
                                 for i in range(0, 10000, 3)))
            whole = talk.answer(line)
            self.assertEqual(len(whole), 2 * 3334 + 1)
            for size in (7, 2047) if IS_TSAN else (1, 7, 2047):
                for start in range(0, len(line), size):
                    talk.send(line[start:start + size])
                self.assertEqual(talk.answer(b''), whole, size)

    # D-29
    def test_lengths_beyond_all_bounds_are_refused(self):
        node = self.start()
        for length in (-1, 2**31 - 2, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63, 2**64):
            with Talk(node) as talk:
                self.assertRegex(talk.line(b'set k 0 0 %d\r\n' % length),
                                 b'^(CLIENT_ERROR bad command line format|'
                                 b'SERVER_ERROR object too large for cache)\r\n', length)
        with Talk(node) as talk:
            self.assertEqual(talk.answer(b'get k\r\n'), [b'END\r\n'])

    # D-33
    def test_any_field_of_a_header_at_its_bounds_is_answered_by_a_status(self):
        node = self.start('-t', '1', '-A')
        bounds = {'key_len': (0, 1, 0xfffe, 0xffff), 'extras_len': (0, 1, 0xfe, 0xff),
                  'body_len': (0, 1, 0xfffffffe, 0xffffffff), 'opaque': (0, 0xffffffff),
                  'cas': (0, 1, 2**64 - 1)}
        seeded = random.Random(1)
        for code in range(256):
            for field, values in bounds.items():
                for value in values:
                    extras = bytes(seeded.choice((0, 4, 8, 20)))
                    request = packet(code, b'key', extras, b'value', **{field: value})
                    with self.subTest(code=code, field=field, value=value), Talk(node) as talk:
                        for status, _ in replies(talk.end(request)):
                            self.assertIn(status, (0, 1, 2, 3, 4, 5, 6, 0x20, 0x21, 0x81, 0x82))


def node_without_descriptors(node):
    """The same node for check_alive, while others are still connected."""
    node.descriptors_before += 1
    return node


class SideBySide(Faults):
    # D-10
    def test_opaques_come_back_while_the_item_changes(self):
        node = self.start('-t', '4')

        def ask(number):
            opaque = b'O%d%s' % (number, b'o' * 30)
            with Talk(node) as talk:
                for _ in range(100 * SCALE):
                    said = talk.answer(b'mg k %s v\r\n' % opaque * 50)
                    heads = [line for line in said if line.startswith((b'VA', b'EN'))]
                    self.assertEqual(len(heads), 50)
                    self.assertFalse([line for line in heads
                                      if line.startswith(b'VA') and opaque not in line])

        def change():
            with Talk(node) as talk:
                for i in range(100 * SCALE):
                    talk.answer(b'delete k\r\nset k 0 0 %d\r\n%s\r\n' % (i % 50, b'x' * (i % 50)) * 20)
        run_all(*[lambda number=i: ask(number) for i in range(4)], change, change)

    # D-17
    def test_what_was_deleted_is_not_there_although_it_was_counted_up(self):
        node = self.start('-t', '4')

        def delete():
            with Talk(node) as talk:
                for _ in range(400 * SCALE):
                    said = talk.lines(b'set n 0 0 1\r\n0\r\ndelete n\r\nget n\r\n', 3)
                    self.assertEqual(said, [b'STORED\r\n', b'DELETED\r\n', b'END\r\n'])
        run_under_load(node, [b'incr n 1\r\n' * 50] * 3, delete)

    # D-18
    def test_values_stay_whole_while_pages_move_and_uploads_stall(self):
        node = self.start('-t', '4', '-m', '64', '-o', 'hashpower=12', '-I', '1m')
        until = time.monotonic() + SECONDS
        lengths = (10, 300, 5000, 40000, 200000)

        def work(number):
            chance = random.Random(number)
            with Talk(node) as talk:
                while time.monotonic() < until:
                    name = b'w%d-%d' % (number, chance.randrange(400))
                    length = chance.choice(lengths)
                    value = b'%s:' % name + b'x' * length
                    store = b'set %s 0 0 %d\r\n%s\r\n' % (name, len(value), value)
                    half = chance.randrange(len(store))
                    talk.send(store[:half])
                    if chance.random() < 0.1:
                        time.sleep(0.01)
                    talk.send(store[half:])
                    self.assertEqual(talk.line(), b'STORED\r\n')
                    talk.send(b'get %s\r\n' % name)
                    if talk.line() != b'END\r\n':
                        self.assertEqual(talk.file.read(len(value) + 2), value + b'\r\n')
                        self.assertEqual(talk.line(), b'END\r\n')

        def move():
            chance = random.Random(0)
            with Talk(node) as talk:
                while time.monotonic() < until:
                    talk.line(b'slabs reassign %d %d\r\n' % (chance.randrange(-1, 60),
                                                             chance.randrange(60)))
                    time.sleep(0.01)

        def fill():
            with Talk(node) as talk:
                for i in range(200000):
                    if time.monotonic() > until:
                        return
                    talk.answer(b''.join(b'set f%d-%d 0 0 1 noreply\r\nx\r\n' % (i, j)
                                         for j in range(100)))
        run_all(*[lambda number=i: work(number) for i in range(4)], move, fill)

    # D-24
    def test_users_are_read_again_while_clients_log_in(self):
        with tempfile.NamedTemporaryFile('w') as users:
            users.write('u:p\n')
            users.flush()
            node = self.start('-Y', users.name, '-t', '4')
            is_over = threading.Event()

            def reload():
                while not is_over.is_set():
                    node.process.send_signal(signal.SIGHUP)
                    time.sleep(0.02)

            def log_in():
                for _ in range(20 * SCALE):
                    with Talk(node) as talk:
                        self.assertEqual(talk.line(b'set a 0 0 3\r\nu p\r\n'), b'STORED\r\n')
                        self.assertEqual(talk.line(b'get k\r\n'), b'END\r\n')

            def log_all_in():
                try:
                    run_all(*[log_in] * 10)
                finally:
                    is_over.set()
            run_all(reload, log_all_in)

    # D-30
    def test_nothing_older_than_a_flush_outlives_it(self):
        node = self.start('-t', '4')

        def flush():
            with Talk(node) as talk:
                for _ in range(100 * SCALE):
                    # Who increments makes a new item of an old one, which has to go, too.
                    said = talk.lines(b'set n 0 0 1\r\n1\r\nset o 0 0 1\r\no\r\nflush_all\r\n'
                                      b'get n\r\nget o\r\n', 5)
                    self.assertEqual(said, [b'STORED\r\n'] * 2 + [b'OK\r\n'] + [b'END\r\n'] * 2)
        change = b'incr n 1\r\ntouch n 100\r\nset x%d 0 0 1\r\nx\r\n'
        run_under_load(node, [change % i * 20 for i in range(7)], flush)


class ComingAndGoing(Faults):
    # D-25
    def test_it_ends_at_any_moment(self):
        for number in range(8 * SCALE):
            with Node('-t', '2') as node:
                busy = Talk(node)
                busy.send(b'set k 0 0 100000\r\nhalf' if number % 2 else b'get k\r\n' * 10000)
                time.sleep(random.random() * 0.02)
                node.process.send_signal(random.choice((signal.SIGTERM, signal.SIGUSR1)))
                before = time.monotonic()
                self.assertEqual(node.process.wait(PATIENCE_S), 0)
                self.assertLess(time.monotonic() - before, 10 if IS_TSAN else 2)
                busy.close()

    # D-26
    def test_every_extended_option_that_is_wrong_is_named(self):
        program = os.path.join(procs.BUILD, 'cachenode')
        user = ['-u', 'root'] if os.getuid() == 0 else []
        told = subprocess.run([program, '-h'], capture_output=True, text=True).stdout
        names = re.findall(r'^        (\w+) ', told, re.MULTILINE)
        self.assertGreater(len(names), 35)
        for name in names:
            for value in ('=', '=junk', '=%d' % 2**64, '=-5'):
                # A file of users that is not there ends what would start.
                done = subprocess.run([program, '-Y', '/nowhere', '-o', name + value] + user,
                                      capture_output=True, text=True, timeout=PATIENCE_S)
                self.assertIn(done.returncode, (1, 64), name + value)
                self.assertTrue(name in done.stderr or '/nowhere' in done.stderr, done.stderr)
                if value == '=junk' and name not in ('no_modern', 'no_chunked_items'):
                    self.assertIn(name, done.stderr)

    # D-27
    def test_connections_that_come_and_go_leave_nothing(self):
        node = self.start()
        for _ in range(2000 * SCALE):
            node.connect().close()

    # D-31
    def test_who_vanishes_in_the_middle_of_a_dump_leaves_nothing(self):
        node = self.start('-t', '2')
        with Talk(node) as talk:
            talk.answer(b''.join(b'set key-%d 0 0 1\r\nx\r\n' % i for i in range(20000)))
            for number in range(20 * SCALE):
                with Talk(node) as gone:
                    gone.send((b'lru_crawler metadump all\r\n', b'lru_crawler mgdump hash\r\n',
                               b'watch fetchers mutations\r\n')[number % 3])
                    self.assertEqual(gone.line(), b'OK\r\n')
                    talk.answer(b'get key-1\r\n' * 20)
                    gone.socket.recv(random.randrange(1, 200))

    # D-32
    @unittest.skipIf(IS_TSAN, 'one thread reads it')
    def test_a_damaged_image_is_never_believed(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, 'memory')
            arguments = ['-e', path, '-m', '8', '-I', '1m', '-t', '1']
            with Node(*arguments) as node, Talk(node) as talk:
                talk.answer(b''.join(b'set k%d 0 0 9\r\nvalue-%03d\r\n' % (i, i) for i in range(50)))
            images = {}
            for name in os.listdir(directory):
                with open(os.path.join(directory, name), 'rb') as file:
                    images[name] = file.read()
            self.assertEqual(len(images), 2)
            chance = random.Random(3)
            head = min(images, key=lambda name: len(images[name]))
            for number in range(60):
                for name, content in images.items():
                    if name == head and number % 2:
                        content = content[:chance.randrange(len(content))]
                    elif name == head:
                        at = chance.randrange(len(content))
                        content = content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + \
                            content[at + 1:]
                    with open(os.path.join(directory, name), 'wb') as file:
                        file.write(content)
                with Node(*arguments) as node, Talk(node) as talk:
                    said = talk.answer(b'get k1\r\nget k49\r\n')
                    self.assertEqual(said, [b'END\r\n'] * 2, number)
                    self.assertIn('cold', node.said())


if __name__ == '__main__':
    unittest.main()
