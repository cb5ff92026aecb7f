"""Every option of a node's command line has its effect."""
import contextlib
import os
import resource
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import unittest

import procs
from faults import packet
from peer import Peer
from procs import wait_until


class Talk(Peer):
    """A conversation in the text protocol."""

    def __init__(self, where):
        if isinstance(where, str):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(where)
        else:
            connection = socket.create_connection(('127.0.0.1', where), 20)
        self.take(connection, 20)

    def ask(self, text, lines=1):
        self.socket.sendall(text.encode())
        return b''.join(self.file.readline() for _ in range(lines)).decode()

    def stats(self, word=''):
        self.socket.sendall(('stats %s\r\n' % word).encode())
        found = {}
        for line in iter(self.file.readline, b'END\r\n'):
            if not line:
                raise AssertionError('closed')
            _, name, value = line.decode().rstrip('\r\n').split(' ', 2)
            found[name] = value
        return found


def served(node):
    """A conversation, once those that ended before are known to have ended."""
    talks = []

    def is_served():
        talk = Talk(node.port)
        if talk.ask('mn\r\n') == 'MN\r\n':
            talks.append(talk)
        else:
            talk.close()
        return bool(talks)
    wait_until(is_served)
    return talks[0]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


def cpu_seconds_during(pid, seconds):
    """What a process uses up of a processor while nothing is asked of it."""
    def spent():
        with open('/proc/%d/stat' % pid) as file:
            words = file.read().rsplit(')', 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf('SC_CLK_TCK')
    before = spent()
    time.sleep(seconds)
    return spent() - before


def run(*arguments):
    """Runs a node that is expected to end by itself."""
    user = ['-u', 'root'] if os.getuid() == 0 else []
    return subprocess.run([os.path.join(procs.BUILD, 'cachenode')] + user + list(arguments),
                          capture_output=True, timeout=20, text=True)


class Connections(unittest.TestCase):
    def test_one_client_too_many_is_told_so(self):
        with procs.Node('-c', '2') as node:
            with served(node) as first:
                with served(node), Talk(node.port) as third:
                    self.assertEqual(third.file.read(), b'ERROR Too many open connections\r\n')
                self.assertGreaterEqual(int(first.stats()['rejected_connections']), 1)

    def test_without_maxconns_fast_he_waits_until_another_goes(self):
        with procs.Node('-c', '2', '-o', 'no_maxconns_fast') as node:
            with served(node) as first:
                second = served(node)  # who is answered before the acceptor has gone to rest
                wait_until(lambda: first.stats()['accepting_conns'] == '0')
                with Talk(node.port) as third:
                    third.socket.sendall(b'mn\r\n')
                    second.close()
                    self.assertEqual(third.file.readline(), b'MN\r\n')
                    stats = first.stats()
                self.assertGreaterEqual(int(stats['listen_disabled_num']), 1)
                self.assertGreater(int(stats['time_in_listen_disabled_us']), 0)
                self.assertNotIn('rejected_connections', stats)
                wait_until(lambda: first.stats()['accepting_conns'] == '1')

    def test_out_of_descriptors_it_serves_whom_it_has_and_comes_back_by_itself(self):
        with procs.Node('-t', '1') as node, contextlib.ExitStack() as stack:
            pid = node.process.pid
            first = stack.enter_context(Talk(node.port))
            wait_until(lambda: first.stats()['curr_connections'] == '1')
            limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            used = {int(name) for name in os.listdir('/proc/%d/fd' % pid)}
            most = max(used) + 4
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, limit[1]))
            talks = [stack.enter_context(Talk(node.port)) for _ in range(10)]
            for talk in talks:
                talk.socket.sendall(b'mn\r\n')
            wait_until(lambda: first.stats()['accepting_conns'] == '0')
            stats = first.stats()
            self.assertEqual(stats['listen_disabled_num'], '1')
            self.assertEqual(int(stats['curr_connections']), 1 + most - len(used))
            self.assertIn('Too many open files', node.said())
            self.assertLess(cpu_seconds_during(pid, 1), 0.3)
            # Who goes makes room for who waits.
            for talk in talks[:5]:
                self.assertEqual(talk.file.readline(), b'MN\r\n')
                talk.close()
            self.assertEqual(talks[5].file.readline(), b'MN\r\n')
            # And so does the system, without anybody's going.
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
            for talk in talks[6:]:
                self.assertEqual(talk.file.readline(), b'MN\r\n')
            stats = first.stats()
            self.assertEqual((stats['accepting_conns'], stats['curr_connections']), ('1', '6'))
            self.assertGreater(int(stats['time_in_listen_disabled_us']), 1000000)

    def test_who_pipelines_lets_others_have_their_turn(self):
        noop = b'\x80\x0a' + bytes(22)
        for request in (b'mn\r\n', noop):
            self.assertGreater(self.yields_under(request, most='1'), 0)
            self.assertGreater(self.yields_under(request, most='20'), 0)
            self.assertEqual(self.yields_under(request, most='1000000'), 0)

    def yields_under(self, request, most):
        """One client sends without a pause; how often he yielded when another had 200 answers."""
        is_over = threading.Event()

        def send(greedy):
            while not is_over.is_set():
                greedy.sendall(request * 30000)
            greedy.shutdown(socket.SHUT_WR)

        def receive(greedy):
            while greedy.recv(1 << 20):
                pass
        with procs.Node('-t', '1', '-R', most) as node, Talk(node.port) as other:
            with node.connect() as greedy:
                threads = [threading.Thread(target=each, args=(greedy,))
                           for each in (send, receive)]
                for thread in threads:
                    thread.start()
                try:
                    for _ in range(200):
                        self.assertEqual(other.ask('mn\r\n'), 'MN\r\n')
                finally:
                    is_over.set()
                    for thread in threads:
                        thread.join()
            return int(other.stats()['conn_yields'])

    def test_a_turn_may_be_as_long_as_one_likes(self):
        for most in 1 << 27, (1 << 31) - 1:
            with procs.Node('-R', str(most)) as node, Talk(node.port) as talk:
                talk.socket.sendall(packet(0x0a) * 100)
                self.assertEqual(len(talk.file.read(2400)), 2400)
            with procs.Node('-R', str(most)) as node, Talk(node.port) as talk:
                self.assertEqual(talk.ask('mn\r\n' * 100, 100), 'MN\r\n' * 100)

    def test_who_says_nothing_for_too_long_is_closed(self):
        with procs.Node('-o', 'idle_timeout=1') as node:
            with Talk(node.port) as idle:
                self.assertEqual(idle.ask('mn\r\n'), 'MN\r\n')
                self.assertEqual(idle.file.read(), b'')
            with Talk(node.port) as other:
                self.assertGreaterEqual(int(other.stats()['idle_kicks']), 1)

    def test_who_says_something_now_and_then_is_not(self):
        with procs.Node('-o', 'idle_timeout=2') as node, Talk(node.port) as busy:
            until = time.monotonic() + 4
            while time.monotonic() < until:
                self.assertEqual(busy.ask('mn\r\n'), 'MN\r\n')
                time.sleep(0.2)

    def test_stats_conns_lists_listeners_and_clients(self):
        with procs.Node() as node, Talk(node.port) as talk, Talk(node.port) as other:
            other.ask('mn\r\n')
            here = 'tcp:127.0.0.1:%d' % node.port
            conns = talk.stats('conns')
            states = [value for name, value in conns.items() if name.endswith(':state')]
            self.assertEqual(states.count('conn_listening'), 1)
            self.assertEqual(states.count('conn_parse_cmd'), 1)
            self.assertIn('conn_read', states)
            me = 'tcp:127.0.0.1:%d' % talk.socket.getsockname()[1]
            mine = [name.split(':')[0] for name, value in conns.items() if value == me]
            self.assertEqual(len(mine), 1)
            self.assertEqual(conns[mine[0] + ':listen_addr'], here)
            self.assertIn(mine[0] + ':secs_since_last_cmd', conns)

    def test_a_unix_socket_has_the_permissions_of_the_mask(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, 'socket')
            user = ['-u', 'root'] if os.getuid() == 0 else []
            node = subprocess.Popen([os.path.join(procs.BUILD, 'cachenode'), '-s', path, '-a',
                                     '0770'] + user, stderr=subprocess.DEVNULL)
            try:
                wait_until(lambda: os.path.exists(path))
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o770)
                wait_until(lambda: subprocess.run(['test', '-S', path]).returncode == 0)
                with Talk(path) as talk:
                    self.assertEqual(talk.ask('set a 0 0 1\r\nx\r\n'), 'STORED\r\n')
                    settings = talk.stats('settings')
                    self.assertEqual(settings['domain_socket'], path)
                    self.assertEqual(settings['umask'], '770')
            finally:
                node.send_signal(signal.SIGTERM)
                self.assertEqual(node.wait(20), 0)
            self.assertFalse(os.path.exists(path))

    def test_a_port_of_the_systems_choice_is_written_to_the_file_asked_for(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, 'ports')
            user = ['-u', 'root'] if os.getuid() == 0 else []
            node = subprocess.Popen([os.path.join(procs.BUILD, 'cachenode'), '-p', '-1', '-l',
                                     '127.0.0.1'] + user, stderr=subprocess.DEVNULL,
                                    env=dict(os.environ, MEMCACHED_PORT_FILENAME=path))
            try:
                wait_until(lambda: os.path.exists(path))
                with open(path) as file:
                    words = file.read().split()
                self.assertEqual(words[:2], ['TCP', 'INET:'])
                with Talk(int(words[2])) as talk:
                    self.assertEqual(talk.ask('mn\r\n'), 'MN\r\n')
            finally:
                node.send_signal(signal.SIGINT)
                self.assertEqual(node.wait(20), 0)


class Switches(unittest.TestCase):
    def test_settings_tell_what_was_asked_for(self):
        with procs.Node('-m', '128', '-c', '99', '-t', '2', '-f', '1.5', '-n', '64', '-R', '7',
                        '-b', '77', '-I', '2m', '-M', '-C', '-F', '-X', '-v') as node:
            with Talk(node.port) as talk:
                settings = talk.stats('settings')
        expected = {'maxbytes': str(128 << 20), 'maxconns': '99', 'num_threads': '2',
                    'growth_factor': '1.50', 'chunk_size': '64', 'reqs_per_event': '7',
                    'tcp_backlog': '77', 'item_size_max': str(2 << 20), 'evictions': 'off',
                    'cas_enabled': 'no', 'flush_enabled': 'no', 'dump_enabled': 'no',
                    'verbosity': '1'}
        self.assertEqual({name: settings[name] for name in expected}, expected)

    def test_extended_settings_are_told(self):
        given = {'hash_algorithm': 'jenkins', 'tail_repair_time': '10', 'hashpower': '13',
                 'slab_automove': '2', 'slab_automove_ratio': '0.5', 'slab_automove_window': '5',
                 'lru_crawler_sleep': '200', 'lru_crawler_tocrawl': '7', 'hot_lru_pct': '11',
                 'warm_lru_pct': '22', 'hot_max_factor': '0.3', 'warm_max_factor': '1.5',
                 'temporary_ttl': '30', 'idle_timeout': '60', 'slab_chunk_max': '256',
                 'read_buf_mem_limit': '4', 'watcher_logbuf_size': '8', 'worker_logbuf_size': '9'}
        told = dict(given, hashpower_init='13', slab_automove_ratio='0.50', hot_max_factor='0.30',
                    warm_max_factor='1.50', temp_lru='yes', slab_chunk_max=str(256 << 10),
                    read_buf_mem_limit=str(4 << 20), watcher_logbuf_size=str(8 << 10),
                    worker_logbuf_size=str(9 << 10), track_sizes='yes', maxconns_fast='no',
                    slab_reassign='no', lru_crawler='no', inline_ascii_response='yes',
                    num_napi_ids='2')
        del told['hashpower']
        names = ['track_sizes', 'no_maxconns_fast', 'no_slab_reassign', 'no_lru_crawler',
                 'inline_ascii_resp', 'no_hashexpand', 'resp_obj_mem_limit=1', 'sock_cookie_id=3',
                 'slab_automove_freeratio=0.02', 'no_drop_privileges', 'modern']
        with procs.Node('-N', '2', '-o', ','.join('%s=%s' % item for item in given.items()),
                        '-o', ','.join(names)) as node, Talk(node.port) as talk:
            settings = talk.stats('settings')
        self.assertEqual({name: settings[name] for name in told}, dict(told, slab_automove='0'))

    def test_no_modern_has_the_defaults_of_old(self):
        old = {'maxconns_fast': 'no', 'slab_reassign': 'no', 'slab_automove': '0',
               'slab_chunk_max': str(1 << 20), 'lru_crawler': 'no', 'lru_maintainer_thread': 'no',
               'lru_segmented': 'no', 'hash_algorithm': 'jenkins'}
        with procs.Node('-o', 'no_modern') as node, Talk(node.port) as talk:
            settings = talk.stats('settings')
            self.assertEqual(talk.ask('lru mode segmented\r\n'), 'ERROR\r\n')
            self.assertEqual(talk.ask('slabs reassign 1 2\r\n'),
                             'CLIENT_ERROR slab reassignment disabled\r\n')
        self.assertEqual({name: settings[name] for name in old}, old)
        with procs.Node('-o', 'no_modern,lru_crawler,hash_algorithm=xxh3') as node:
            with Talk(node.port) as talk:
                settings = talk.stats('settings')
        self.assertEqual((settings['lru_crawler'], settings['hash_algorithm']), ('yes', 'xxh3'))

    def test_the_index_stays_as_it_is_with_no_hashexpand(self):
        many = ''.join('set k%d 0 0 1 noreply\r\nx\r\n' % i for i in range(120000))
        grown = {}
        for name in ('no_hashexpand', 'modern'):
            with procs.Node('-o', 'hashpower=13,' + name) as node, Talk(node.port) as talk:
                self.assertEqual(talk.ask(many + 'mn\r\n'), 'MN\r\n')

                def is_settled():
                    grown[name] = int(talk.stats()['hash_power_level'])
                    return grown[name] > 13 or name == 'no_hashexpand'
                wait_until(is_settled)
                self.assertEqual(talk.ask('get k0 k119999\r\n', 5).count('VALUE'), 2)
        self.assertEqual(grown['no_hashexpand'], 13)

    def test_certificates_are_not_refreshed_without_any(self):
        with procs.Node() as node, Talk(node.port) as talk:
            self.assertEqual(talk.ask('refresh_certs\r\n'), 'Error TLS not enabled\r\n')

    def test_flush_all_is_refused_with_F(self):
        with procs.Node('-F') as node, Talk(node.port) as talk:
            self.assertEqual(talk.ask('flush_all\r\n'), 'CLIENT_ERROR flush_all not allowed\r\n')

    def test_there_is_no_cas_with_C(self):
        with procs.Node('-C') as node, Talk(node.port) as talk:
            talk.ask('set a 0 0 1\r\nx\r\n')
            self.assertEqual(talk.ask('gets a\r\n', 3), 'VALUE a 0 1 0\r\nx\r\nEND\r\n')
            self.assertEqual(talk.ask('cas a 0 0 1 0\r\ny\r\n'), 'EXISTS\r\n')

    def test_a_daemon_goes_to_the_background_and_writes_its_pid(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, 'pid')
            port = procs.free_port()
            self.assertEqual(run('-d', '-l', '127.0.0.1', '-p', str(port), '-P',
                                 path).returncode, 0)
            wait_until(lambda: os.path.exists(path))
            with open(path) as file:
                pid = int(file.read())
            with Talk(port) as talk:
                self.assertEqual(talk.stats()['pid'], str(pid))
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not os.path.exists(path))
            wait_until(lambda: not os.path.exists('/proc/%d' % pid))

    def test_core_dumps_are_allowed_with_r(self):
        with procs.Node('-r') as node:
            with open('/proc/%d/limits' % node.process.pid) as limits:
                core = [line.split() for line in limits if line.startswith('Max core')][0]
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        self.assertEqual(core[4], 'unlimited' if hard == resource.RLIM_INFINITY else str(hard))

    @unittest.skipUnless(os.getuid() == 0, 'only root can become somebody else')
    def test_root_becomes_the_user_of_u(self):
        port = procs.free_port()
        node = subprocess.Popen([os.path.join(procs.BUILD, 'cachenode'), '-u', 'nobody', '-l',
                                 '127.0.0.1', '-p', str(port)], stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: os.stat('/proc/%d' % node.pid).st_uid != 0)
        finally:
            node.send_signal(signal.SIGTERM)
            self.assertEqual(node.wait(20), 0)

    def test_memory_is_locked_with_k_or_a_warning_says_why_not(self):
        """In a release build: a sanitizer's shadow is more than can be locked."""
        port = procs.free_port()
        program = os.path.join(procs.ROOT, 'build', 'release', 'cachenode')
        user = ['-u', 'root'] if os.getuid() == 0 else []
        with tempfile.TemporaryFile() as errors:
            node = subprocess.Popen([program, '-k', '-m', '2', '-l', '127.0.0.1', '-p',
                                     str(port)] + user, stderr=errors)

            def has_locked():
                with open('/proc/%d/status' % node.pid) as status:
                    return 'VmLck:\t       0 kB' not in status.read()

            def has_warned():
                errors.seek(0)
                return b'lock' in errors.read()
            try:
                wait_until(lambda: has_locked() or has_warned())
                wait_until(lambda: listens(port))
            finally:
                node.send_signal(signal.SIGTERM)
                self.assertEqual(node.wait(20), 0)


class Refusals(unittest.TestCase):
    def assert_refused(self, status, word, *arguments):
        done = run(*arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(word, done.stderr)

    def test_what_is_wrong_is_named(self):
        for status, word, *arguments in (
                (1, '--nonsense', '--nonsense'), (1, "-Q", '-Q'), (1, '-c', '-c', '0'),
                (1, '-t', '-t', '0'), (1, '-f', '-f', '1'), (1, '-R', '-R', '0'),
                (64, '-p', '-p', '70000'), (64, '-I', '-I', '1'), (64, '-I', '-m', '1'),
                (1, 'nonsense', '-o', 'nonsense'), (1, 'hashpower', '-o', 'hashpower=40'),
                (1, 'jenkins, murmur3, xxh3', '-o', 'hash_algorithm=md5'),
                (1, 'tail_repair_time', '-o', 'tail_repair_time=9'), (64, '-N', '-N', '9'),
                (64, 'hot_lru_pct', '-o', 'hot_lru_pct=60,warm_lru_pct=60')):
            with self.subTest(arguments=arguments):
                self.assert_refused(status, word, *arguments)

    def test_what_would_be_unsafe_or_misleading_to_ignore_is_refused_with_a_reason(self):
        tls = 'chain_cert key verify_mode keyformat ciphers ca_cert wbuf_size session_cache ' \
              'kernel_tls min_version'
        flash = 'path page_size wbuf_size threads io_depth item_size item_age low_ttl ' \
                'recache_rate compact_under drop_under max_sleep max_frag drop_unread'
        names = {'speaks no TLS': ['ssl_' + name for name in tls.split()],
                 'in memory alone': ['ext_' + name for name in flash.split()],
                 'cacheproxy': ['proxy_config', 'proxy_arg', 'proxy_uring'],
                 'no system calls': ['drop_privileges']}
        for reason, options in names.items():
            for option in options:
                self.assert_refused(1, reason, '-o', option)
                self.assert_refused(1, 'option -o ' + option, '-o', option + '=1')
        for option in ('-Z', '--enable-ssl'):
            self.assert_refused(1, 'speaks no TLS', option)
            self.assert_refused(1, option, option)

    def test_help_and_version_end_well(self):
        self.assertIn('cachenode', run('-V').stdout)
        self.assertIn('--memory-limit', run('-h').stdout)


if __name__ == '__main__':
    unittest.main()
