#!/usr/bin/env python3
"""Holds what a request costs: user instructions (callgrind) and system calls
(strace) of the thread that serves it, against the figures of guard.json, of
which no more than 5 % may be exceeded.

  guard.py             checks build/release
  guard.py --update    measures and writes guard.json

One connection, which says the next batch when the last is answered, and a
single server behind the proxy's batches: so both are the same in every run. A
line per figure; the last is `N passed, M failed`. Figures are of the compiler
and the libc of Debian 12 on amd64."""
import argparse, json, os, resource, shlex, shutil, sys
import compare, counts
from compare import HERE, Server

TOLERANCE = 1.05
FIGURES = os.path.join(HERE, 'guard.json')
BUILD = os.path.join(HERE, '../../build/release')
NODE = BUILD + '/cachenode -u root -l 127.0.0.1 -p {port} -m 64 -t 1 -c 500'
PROXY = BUILD + '/cacheproxy -c {conf:proxy.yml} -s {port2}'
REDIS = 'redis-server --port {port} --bind 127.0.0.1 --save "" --appendonly no'
REDIS_PROXY = BUILD + '/cacheproxy -c {conf:proxy-redis.yml} -s {port2}'
# (server, how many nodes behind it, {workload: options of load})
GROUPS = [
    (NODE, 0, {'node get, depth 1': '-g 1', 'node get, depth 16': '-g 1 -d 16', 'node set, depth 16': '-g 0 -d 16',
               'node get of 100 keys': '-g 1 -m 100'}),
    (PROXY, 2, {'proxy get, depth 1': '-g 1'}),
    (PROXY, 1, {'proxy get, depth 16': '-g 1 -d 16'}),
    (REDIS_PROXY, 1, {'proxy redis get, depth 16': '-g 1 -d 16', 'proxy redis set, depth 16': '-g 0 -d 16'}),
]
INSTRUCTIONS, CALLS = 'user instructions per request', 'system calls per request'


def measure():
    """{workload: {figure: number}}"""
    found = {}
    for command, nodes, workloads in GROUPS:
        is_redis = command == REDIS_PROXY
        args = argparse.Namespace(proto='resp' if is_redis else 'text', conns=1, keys=2000, ops=3000, top=0, pin=False,
                                  backends=nodes, backend=REDIS if is_redis else NODE, one_thread=True)
        loads = [(name, shlex.split(options)) for name, options in workloads.items()]
        costs = []
        for tool in (counts.callgrind, counts.strace):
            server = Server('it=' + command, args)
            try:
                costs.append(tool(server, args, loads))
            finally:
                shutil.rmtree(server.dir, ignore_errors=True)
        (instructions, _), calls = costs
        for name in workloads:
            found[name] = {INSTRUCTIONS: round(instructions[name][1]), CALLS: round(sum(calls[name].values()), 3)}
    return found


def check(found, figures):
    passed = failed = 0
    for name, costs in found.items():
        for what, cost in costs.items():
            figure = figures[name][what]
            limit = round(figure * TOLERANCE, 3)
            is_fine = 0 < cost <= limit  # nothing at all: it was not measured
            passed += is_fine
            failed += not is_fine
            print('%s: %s: %s: %g; noted %g, limit %g' % ('ok' if is_fine else 'FAILED', name, what, cost, figure, limit))
    if failed:
        print('What a request costs has grown. Find the cause; if the price is right, note it with tests/bench/guard.py --update')
    print('%d passed, %d failed' % (passed, failed))
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--update', action='store_true', help='write guard.json')
    update = parser.parse_args().update
    missing = [tool for tool in ('valgrind', 'strace') if shutil.which(tool) is None]
    if missing:
        sys.exit('not installed: %s (scripts/deps full)' % ' '.join(missing))
    resource.setrlimit(resource.RLIMIT_NOFILE, (2000, 2000))
    compare.build()
    try:
        found = measure()
    finally:
        for process in list(compare.procs):
            compare.stop(process)
    if update:
        with open(FIGURES, 'w') as file:
            json.dump(found, file, indent=2)
            file.write('\n')
        return
    with open(FIGURES) as file:
        sys.exit(1 if check(found, json.load(file)) else 0)


if __name__ == '__main__':
    main()
