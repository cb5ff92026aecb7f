#!/usr/bin/env python3
"""Draws picture.svg: CPU per get against the depth of pipelining, of the node beside memcached and
the floor, and of the proxy beside nutcracker, both in front of a floor.

  picture.py             draws picture.svg from picture.json
  picture.py --measure   measures first, a few minutes, and writes picture.json

What is measured is compare.py's CPU per request of the server's process, all servers of a panel
interleaved; picture.json has the median over the rounds and names the commands."""
import argparse, json, math, os, statistics, subprocess, sys, tempfile
from compare import HERE

DATA, PICTURE = os.path.join(HERE, 'picture.json'), os.path.join(HERE, 'picture.svg')
DEPTHS = [1, 4, 16, 64]
FLOOR = './floor -p {port}'
PANELS = [
    {'title': 'a cache, one thread', 'options': '-g 1 -N 100000', 'backends': [],
     'servers': {'memcached': 'memcached -u root -l 127.0.0.1 -p {port} -U 0 -m 1024 -t 1',
                 'cachenode': '../../build/release/cachenode -u root -l 127.0.0.1 -p {port} -m 1024 -t 1',
                 'floor': FLOOR}},
    # The floor knows one answer: so the proxies are asked for its one key, load's number 0.
    {'title': 'a proxy in front of a floor', 'options': '-g 1 -N 1',
     'backends': ['--backends', '1', '--backend', FLOOR],
     'servers': {'nutcracker': 'nutcracker -c {conf:proxy.yml} -s {port2} -o {dir}/log',
                 'cacheproxy': '../../build/release/cacheproxy -c {conf:proxy.yml} -s {port2}'}},
]


def measure(rounds):
    found = []
    for panel in PANELS:
        command = [sys.executable, 'compare.py', '--rounds', str(rounds)] + panel['backends']
        for name, server in panel['servers'].items():
            command += ['-s', '%s=%s' % (name, server)]
        for depth in DEPTHS:
            command += ['-w', 'depth %d: %s -d %d --no-verify' % (depth, panel['options'], depth)]
        with tempfile.NamedTemporaryFile('r') as out:
            subprocess.run(command + ['--json', out.name], cwd=HERE, check=True)
            samples = json.load(out)
        cpu_us = {name: [round(statistics.median(run['server']['cpu_us'] for run in samples['depth %d' % depth][name]), 3)
                         for depth in DEPTHS] for name in panel['servers']}
        found.append({'title': panel['title'], 'load': panel['options'], 'servers': panel['servers'],
                      'behind': panel['backends'], 'depths': DEPTHS, 'cpu_us': cpu_us})
    with open(DATA, 'w') as file:
        json.dump({'rounds': rounds, 'panels': found}, file, indent=1)
        file.write('\n')


# --- drawing ---

WIDTH, HEIGHT, LEFT, TOP, LABELS, FOOT = 460, 300, 52, 46, 126, 44
COLOURS = {'cachenode': '#c2410c', 'cacheproxy': '#c2410c', 'memcached': '#1d4ed8', 'nutcracker': '#1d4ed8', 'floor': '#6b7280'}
TICKS_US = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20]


def text(x, y, what, **style):
    return '<text x="%.1f" y="%.1f" %s>%s</text>' % (x, y, ' '.join('%s="%s"' % (k.replace('_', '-'), v) for k, v in style.items()), what)


def draw_panel(panel, offset):
    numbers = [v for values in panel['cpu_us'].values() for v in values]
    low, high = math.log(min(numbers) * 0.8), math.log(max(numbers) * 1.25)
    right, bottom = WIDTH - LABELS, HEIGHT - FOOT

    def at(depth, value):
        share = math.log(depth / DEPTHS[0]) / math.log(DEPTHS[-1] / DEPTHS[0])
        return LEFT + share * (right - LEFT), bottom - (math.log(value) - low) / (high - low) * (bottom - TOP)

    out = ['<g transform="translate(%d 0)">' % offset, text(LEFT, 24, panel['title'], font_size=14, font_weight='bold')]
    for tick in TICKS_US:
        if low <= math.log(tick) <= high:
            _, y = at(1, tick)
            out.append('<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#e5e7eb"/>' % (LEFT, y, right, y))
            out.append(text(LEFT - 6, y + 4, '%g' % tick, text_anchor='end', fill='#4b5563'))
    for depth in panel['depths']:
        x, _ = at(depth, 1)
        out.append('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#9ca3af"/>' % (x, bottom, x, bottom + 4))
        out.append(text(x, bottom + 18, depth, text_anchor='middle', fill='#4b5563'))
    out.append(text((LEFT + right) / 2, bottom + 36, 'requests sent at once', text_anchor='middle', fill='#4b5563'))
    for name, values in panel['cpu_us'].items():
        points = [at(depth, value) for depth, value in zip(panel['depths'], values)]
        colour = COLOURS[name]
        out.append('<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>' % (
            colour, ' '.join('%.1f,%.1f' % point for point in points)))
        out += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (x, y, colour) for x, y in points]
        out.append(text(points[-1][0] + 8, points[-1][1] + 4, '%s %.2f' % (name, values[-1]), fill=colour))
    return out + ['</g>']


def draw():
    with open(DATA) as file:
        panels = json.load(file)['panels']
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' % (WIDTH * len(panels), HEIGHT),
           '<rect width="100%" height="100%" fill="#ffffff"/>',
           text(14, HEIGHT / 2, 'µs of CPU per get', text_anchor='middle', fill='#4b5563', transform='rotate(-90 14 %d)' % (HEIGHT // 2))]
    for i, panel in enumerate(panels):
        out += draw_panel(panel, i * WIDTH)
    with open(PICTURE, 'w') as file:
        file.write('\n'.join(out + ['</svg>']) + '\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--measure', action='store_true')
    parser.add_argument('--rounds', type=int, default=3)
    args = parser.parse_args()
    if args.measure:
        measure(args.rounds)
    draw()


if __name__ == '__main__':
    main()
