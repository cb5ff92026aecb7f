"""Inputs that have hurt caches of this kind, as published with a number: each is sent to a node,
which answers as it should and is as well afterwards as it was before."""
import itertools
import math
import os
import random
import socket
import statistics
import struct
import subprocess
import tempfile
import time
import unittest

import procs
from faults import HEADER, IS_TSAN, PATIENCE_S, Faults, Talk, packet, replies
from procs import Node, wait_until

GET, SET, ADD, REPLACE, DELETE, APPEND, PREPEND = 0, 1, 2, 3, 4, 0x0e, 0x0f
SASL_AUTH, SASL_STEP = 0x21, 0x22
INVALID, TOO_LARGE, AUTH_FAILURE, UNKNOWN = 4, 3, 0x20, 0x81
USERS = 8


class Published(Faults):
    def start_with_login(self):
        users = tempfile.NamedTemporaryFile('w')
        self.addCleanup(users.close)
        users.write('alice:secret\n')
        users.flush()
        return self.start('-S', env={'MEMCACHED_SASL_PWDB': users.name})

    # C-01, CVE-2009-1255, CVE-2009-1494
    def test_no_statistic_gives_an_address_away(self):
        node = self.start()
        with Talk(node) as talk:
            talk.answer(b'set k 0 0 1\r\nx\r\n')
            for word in (b'', b'settings', b'items', b'slabs', b'sizes', b'conns', b'detail dump',
                         b'malloc', b'maps', b'cachedump 1 0', b'extstore', b'threads', b'reset'):
                said = b''.join(talk.answer(b'stats %s\r\n' % word))
                self.assertNotRegex(said, rb'0x[0-9a-f]{6}|/[0-9a-f]{8,}-|7f[0-9a-f]{10}', word)
            self.assertEqual(talk.answer(b'stats maps\r\n'), [b'ERROR\r\n'])

    # C-02, CVE-2010-1152
    def test_a_line_without_an_end_is_cut_off(self):
        node = self.start()
        before = self.memory(node)
        for _ in range(100):
            with Talk(node) as talk:
                self.assertEqual(talk.rest(b'A' * 70000), b'')
        self.assertLess(self.memory(node) - before, 100 * 65536)

    # C-03, CVE-2011-4971
    def test_a_body_of_four_gigabytes_is_not_waited_for_in_a_loop(self):
        node = self.start()
        with Talk(node) as talk:
            said = talk.rest(packet(SET, b'k', bytes(8), body_len=0xffffffff))
            self.assertIn(replies(said)[0][0], (TOO_LARGE, INVALID))
        before = self.cpu_s(node)
        time.sleep(1)
        self.assertLess(self.cpu_s(node) - before, 0.3)

    # C-04, CVE-2013-0179
    def test_the_longest_key_can_be_logged(self):
        node = self.start('-vv')
        with Talk(node) as talk:
            said = talk.end(packet(DELETE, b'k' * 250))
            self.assertEqual(replies(said), [(1, b'Not found')])

    # C-05, CVE-2013-7239
    def test_a_failed_login_opens_nothing(self):
        node = self.start_with_login()
        with Talk(node) as talk:
            said = talk.rest(packet(SASL_AUTH, b'PLAIN', b'', b'\0alice\0wrong') +
                             packet(GET, b'k'))
            self.assertEqual([status for status, _ in replies(said)], [AUTH_FAILURE, AUTH_FAILURE])
        with Talk(node) as talk:
            said = talk.end(packet(SASL_AUTH, b'PLAIN', b'', b'\0alice\0wrong') +
                            packet(SASL_AUTH, b'PLAIN', b'', b'\0alice\0secret') +
                            packet(GET, b'k'))
            self.assertEqual([status for status, _ in replies(said)], [AUTH_FAILURE, 0, 1])

    # C-06, CVE-2013-7290, CVE-2013-7291
    def test_unprintable_keys_do_not_reach_the_log_as_they_are(self):
        node = self.start('-vvv')
        with Talk(node) as talk:
            self.assertEqual(talk.answer(b'get \x80\xff\x07\x1b[2J\r\n'), [b'END\r\n'])
            self.assertEqual(talk.answer(b'set \x80\xff 0 0 1\r\nx\r\n'), [b'STORED\r\n'])
        node.errors.seek(0)
        self.assertNotRegex(node.errors.read(), rb'[\x00-\x08\x0b-\x1f\x7f-\xff]')

    # C-07, CVE-2016-8704, CVE-2016-8705
    def test_a_body_shorter_than_its_key_is_refused(self):
        node = self.start()
        for code in (SET, ADD, REPLACE, APPEND, PREPEND, 0x11, 0x12, 0x13, 0x19, 0x1a):
            for body in (0, 1, 249):
                with self.subTest(code=code, body=body), Talk(node) as talk:
                    said = talk.rest(packet(code, key_len=250, body_len=body) + b'A' * 1024)
                    self.assertIn(replies(said)[0][0], (UNKNOWN, INVALID))
        with Talk(node) as talk:
            self.assertEqual(talk.stats()['curr_items'], '0')

    # C-08, CVE-2016-8706
    def test_a_login_shorter_than_its_key_is_refused(self):
        node = self.start_with_login()
        for code in (SASL_AUTH, SASL_STEP):
            with Talk(node) as talk:
                said = talk.rest(packet(code, key_len=250) + b'A' * 500)
                self.assertIn(replies(said)[0][0], (UNKNOWN, INVALID))
            with Talk(node) as talk:
                said = talk.rest(packet(code, b'PLAIN', b'', b'', body_len=9) + b'A' * 500)
                self.assertEqual(replies(said)[0][0], AUTH_FAILURE)

    # C-09, CVE-2017-9951
    def test_a_packet_cut_anywhere_is_not_read_beyond(self):
        node = self.start()
        whole = packet(SET, b'cut', bytes(8), b'value')
        for length in range(len(whole)):
            with Talk(node) as talk:
                self.assertEqual(talk.end(whole[:length]), b'')
        with Talk(node) as talk:
            talk.end(packet(SET, key_len=250, extras_len=8, body_len=300) + b'A' * 10)
        with Talk(node) as talk:
            self.assertEqual(talk.answer(b'get cut\r\n'), [b'END\r\n'])

    # C-10, CVE-2018-1000115
    def test_nobody_is_flooded_by_udp_unless_that_was_asked_for(self):
        node = self.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.connect(('127.0.0.1', node.port))
            peer.settimeout(PATIENCE_S)
            peer.send(b'\0\1\0\0\0\1\0\0get big\r\n')
            with self.assertRaises(ConnectionRefusedError):
                peer.recv(100)
        port = procs.free_port()
        open_to_all = self.start('-U', '-1', '-l', '0.0.0.0:%d' % port)
        self.assertRegex(open_to_all.said(), 'UDP on 0.0.0.0:%d: .*forged addresses' % port)

    # C-11, CVE-2018-1000127
    def test_many_holders_of_an_item_who_do_not_read_hold_nobody_up(self):
        node = self.start('-t', '2')
        store = b'set k 0 0 3000\r\n%s\r\n' % (b'x' * 3000)
        used = lambda stats: sum(int(value) for name, value in stats.items()
                                 if name.endswith(':used_chunks'))
        with Talk(node) as talk:
            talk.answer(store)
            before = used(talk.stats(b'slabs'))
            for _ in range(20):
                greedy = Talk(node)
                greedy.send(b'get' + b' k' * 20000 + b'\r\n')
                self.assertEqual(greedy.line(), b'VALUE k 0 3000\r\n')
                for command, reply in ((b'delete k\r\n', b'DELETED\r\n'), (store, b'STORED\r\n')):
                    began = time.monotonic()
                    self.assertEqual(talk.line(command), reply)
                    self.assertLess(time.monotonic() - began, 5 if IS_TSAN else 1)
                greedy.close()
            # Each of the twenty has its memory given back; threads keep a few for the next.
            wait_until(lambda: used(talk.stats(b'slabs')) < before + 15)

    # C-12, CVE-2019-11596
    def test_any_command_with_any_number_of_words_is_answered(self):
        node = self.start()
        commands = b'''get gets gat gats set add replace append prepend cas incr decr touch delete
            flush_all version verbosity stats cache_memlimit slabs lru lru_crawler mg ms md ma me
            mn refresh_certs watch bogus'''.split()
        seconds = [b'1', b'k', b'mode', b'tune', b'temp_ttl', b'reassign', b'automove', b'crawl',
                   b'sleep', b'tocrawl', b'detail', b'cachedump', b'metadump']
        for command, second, count in itertools.product(commands, seconds, range(11)):
            if (command, second) == (b'lru_crawler', b'metadump') or command == b'quit':
                continue
            with self.subTest(command=command, second=second, count=count), Talk(node) as talk:
                line = b' '.join([command, second][:1 + (count > 0)] + [b'1'] * (count - 1))
                said = talk.end(line + b'\r\n')
                self.assertNotEqual(said == b'' and count < 2, True)
        with Talk(node) as talk:
            self.assertEqual(talk.lines(b'lru mode\nlru\nlru mode\r\nlru temp_ttl\r\nlru tune\r\n'
                                        b'\xb1\xb4\x00lru de\xea\x07mNO_\r\n', 6), [b'ERROR\r\n'] * 6)

    # C-13, CVE-2019-15026
    def test_the_longest_path_of_a_unix_socket_is_told_whole(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, 'x' * (107 - len(directory) - 1))
            self.assertEqual(len(path), 107)
            node = Node(unix_path=path)
            self.addCleanup(node.stop)
            with Talk(node) as talk:
                conns = talk.stats(b'conns')
                self.assertEqual([value for name, value in conns.items()
                                  if name.endswith(':addr') and 'unix:/' in value], ['unix:' + path])

    # C-14, CVE-2020-10931
    def test_extras_of_another_length_are_refused(self):
        node = self.start()
        for extras in range(256):
            if extras == 8:
                continue
            with Talk(node) as talk:
                said = talk.rest(packet(SET, key_len=1, extras_len=extras, body_len=extras + 1) +
                                 b'A' * 300)
                self.assertEqual(replies(said)[0], (INVALID, b'Invalid arguments'), extras)

    # C-15, CVE-2020-22570
    def test_meta_commands_without_a_key_are_refused(self):
        node = self.start()
        with Talk(node) as talk:
            for line in (b'mg', b'mg ', b'ms', b'ms ', b'md', b'md ', b'ma', b'ma ', b'me', b'me '):
                said = talk.answer(line + b'\r\n')
                self.assertEqual(len(said), 1, line)
                self.assertRegex(said[0], b'^(CLIENT_)?ERROR')

    # C-16, CVE-2021-37519
    def test_a_bad_file_of_users_is_refused_at_the_start(self):
        user = ['-u', 'root'] if os.getuid() == 0 else []
        for content, line in ((b'', None), (b'\n', 1), (b'u', 1), (b'x' * 100000, 1),
                              (b'u:p\n' + b'y' * 100000, 2), (b'\0\0\0\n', 1),
                              (b'u:p\n\0\n', 2), (b'u:p\n' * 1000, 9),
                              (b'u:' + b'p' * 300 + b'\n', 1)):
            with tempfile.NamedTemporaryFile() as users:
                users.write(content)
                users.flush()
                done = subprocess.run([os.path.join(procs.BUILD, 'cachenode'), '-Y', users.name,
                                       '-l', '127.0.0.1', '-p', str(procs.free_port())] + user,
                                      capture_output=True, timeout=PATIENCE_S, text=True)
            self.assertNotEqual(done.returncode, 0, content[:20])
            self.assertIn('%s:%d: ' % (users.name, line) if line else users.name, done.stderr)
            self.assertFalse([word for word in procs.COMPLAINTS if word in done.stderr])
        for content in (b'u:p', b'u:\n', b':\n', b'u:p:q\n', b'u:p\r\n'):
            with tempfile.NamedTemporaryFile() as users:
                users.write(content)
                users.flush()
                node = self.start('-Y', users.name)
                with Talk(node) as talk:
                    token = content.strip().replace(b':', b' ', 1)
                    self.assertEqual(talk.line(b'set a 0 0 %d\r\n%s\r\n' % (len(token), token)),
                                     b'STORED\r\n')

    # C-17, CVE-2022-48571
    def test_an_upload_in_several_datagrams_is_refused(self):
        port = procs.free_port()
        node = self.start('-U', str(port), port=port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.connect(('127.0.0.1', port))
            peer.settimeout(PATIENCE_S)
            peer.send(b'\0\1\0\0\0\0\0\0\0')
            for sequence in range(3):
                peer.send(struct.pack('>HHHH', 2, sequence, 3, 0) + b'set k 0 0 1\r\nx\r\n')
            peer.send(b'\0\3\0\0\0\1\0\0get k\r\n')
            self.assertEqual(peer.recv(100), b'\0\3\0\0\0\1\0\0END\r\n')
        self.assertIsNone(node.process.poll())

    # C-18, CVE-2026-47783, CVE-2026-47784
    @unittest.skipIf(IS_TSAN, 'it is about time')
    def test_the_time_of_a_login_tells_nothing_of_names_and_passwords(self):
        with tempfile.NamedTemporaryFile('w') as users:
            for i in range(USERS - 1):
                users.write('user%d-of-many:%s\n' % (i, 'p' * 200))
            users.write('alice-of-many:%s\n' % ('s' * 200))
            users.flush()
            os.environ['MEMCACHED_SASL_PWDB'] = users.name
            self.addCleanup(os.environ.pop, 'MEMCACHED_SASL_PWDB')
            node = self.start('-S', '-t', '1')
            tries = {'no such name': b'\0nobody-o-many\0' + b'x' * 200,
                     'wrong at once': b'\0alice-of-many\0' + b'x' * 200,
                     'wrong at last': b'\0alice-of-many\0' + b's' * 199 + b'x',
                     'first name': b'\0user0-of-many\0' + b'p' * 198 + b'x'}
            times = {name: [] for name in tries}
            with Talk(node) as talk:
                for _ in range(int(os.environ.get('LOGINS', '12000')) // len(tries)):
                    for name in random.sample(sorted(tries), len(tries)):
                        request = packet(SASL_AUTH, b'PLAIN', b'', tries[name]) * 8
                        before = time.perf_counter_ns()
                        talk.send(request)
                        for _ in range(8):
                            header = talk.file.read(HEADER.size)
                            talk.file.read(HEADER.unpack(header)[6])
                        times[name].append(time.perf_counter_ns() - before)
            for one, other in itertools.combinations(tries, 2):
                self.assertLess(abs(welch(times[one], times[other])), 4.5, (one, other))


def welch(a, b):
    """The t of B. L. Welch's test, 1947, of the fastest nine of ten: the rest is the system's."""
    a, b = (sorted(each)[:len(each) * 9 // 10] for each in (a, b))
    spread = math.sqrt(statistics.variance(a) / len(a) + statistics.variance(b) / len(b))
    return (statistics.mean(a) - statistics.mean(b)) / spread


if __name__ == '__main__':
    unittest.main()
