#!/usr/bin/env python3
"""Microseconds that a proxy adds to a get, with one connection that asks when it is answered; and
milliseconds from the start of a node to its first accepted connection.

  latency.py [--rounds 12] [--starts 30]

The node alone, cacheproxy and nutcracker, each in front of two nodes, take turns; what is added is
the difference of the medians of one round. All servers share one processor, the load has another:
what is measured is their work, not where the scheduler puts whom from one moment to the next."""
import argparse, json, os, shlex, socket, statistics, subprocess, time
import compare
from compare import HERE, Server

CPUS = os.sched_getaffinity(0)
SERVER_CPU, LOAD_CPU = sorted(CPUS)[:2]
NODE = os.path.join(HERE, '../../build/release/cachenode') + ' -u root -l 127.0.0.1 -p {port} -m 64 -t 1'
MEMCACHED = 'memcached -u root -l 127.0.0.1 -p {port} -U 0 -m 64 -t 1'
PROXIES = {'cacheproxy': os.path.join(HERE, '../../build/release/cacheproxy') + ' -c {conf:proxy.yml} -s {port2}',
           'nutcracker': 'nutcracker -c {conf:proxy.yml} -s {port2} -o {dir}/log'}


def args_with(backends):
    return argparse.Namespace(proto='text', pin=False, backends=backends, backend=NODE)


def median_us(server):
    command = [os.path.join(HERE, 'load'), '-p', str(server.port), '-c', '1', '-g', '1', '-N', '1000', '-t', '0.5',
               '-w', '0.1', '-L', '--json']
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CPU}))
    return json.loads(done.stdout)['lat_us']['p50']


def measure_added(rounds):
    direct = Server('node=' + NODE, args_with(0))
    proxies = [Server('%s=%s' % proxy, args_with(2)) for proxy in PROXIES.items()]
    added = {proxy.label: [] for proxy in proxies}
    try:
        for server in [direct] + proxies:
            server.start()
        for _ in range(rounds):
            base = median_us(direct)
            for proxy in proxies:
                added[proxy.label].append(median_us(proxy) - base)
    finally:
        for server in [direct] + proxies:
            server.stop()
    for name, us in added.items():
        print('%s adds %.1f us [%.1f..%.1f]' % (name, statistics.median(us), min(us), max(us)))


def start_ms(command):
    port = compare.free_port()
    begin = time.perf_counter()
    process = subprocess.Popen(shlex.split(command.replace('{port}', str(port))), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            try:
                socket.create_connection(('127.0.0.1', port), 1).close()
                return (time.perf_counter() - begin) * 1000
            except OSError:
                pass
        raise SystemExit('it ended: ' + command)
    finally:
        compare.stop(process)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=12)
    parser.add_argument('--starts', type=int, default=30)
    args = parser.parse_args()
    os.sched_setaffinity(0, {SERVER_CPU})
    try:
        measure_added(args.rounds)
    finally:
        for process in list(compare.procs):
            compare.stop(process)
    os.sched_setaffinity(0, CPUS)
    for name, command in (('cachenode', NODE), ('memcached', MEMCACHED)):
        times = sorted(start_ms(command) for _ in range(args.starts))
        print('%s accepts after %.1f ms at least, %.1f in the median' % (name, times[0], statistics.median(times)))


if __name__ == '__main__':
    main()
