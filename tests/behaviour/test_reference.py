"""The documentation in conf/ is what the programs say and understand."""
import glob
import os
import re
import subprocess
import unittest

from procs import BUILD, ROOT

CONF = os.path.join(ROOT, 'conf')


def run(*arguments):
    return subprocess.run([os.path.join(BUILD, 'cacheproxy'), *arguments], capture_output=True,
                          text=True, timeout=60)


def read(name):
    with open(os.path.join(CONF, name)) as file:
        return file.read()


class Reference(unittest.TestCase):
    def test_it_is_what_the_proxy_prints(self):
        self.assertEqual(read('reference.md'), run('--reference').stdout,
                         'make reference brings it up to date')

    def test_the_example_names_every_key_of_a_pool_and_its_default(self):
        example = read('cacheproxy.yml')
        section = read('reference.md').split('## Keys of a pool')[1].split('##')[0]
        rows = re.findall(r'^\| `(\w+)` \| .* \| ([^|]*) \| [^|]* \|$', section, re.M)
        self.assertGreater(len(rows), 15)
        for key, default in rows:
            lines = re.findall(r'^  (# )?%s:(.*)$' % key, example, re.M)
            self.assertEqual(len(lines), 1, key)
            is_comment, value = lines[0]
            if is_comment and default != '-':
                self.assertEqual(value.strip(), default, key)


class Examples(unittest.TestCase):
    def test_each_is_understood_and_gets_no_warning(self):
        paths = sorted(glob.glob(os.path.join(CONF, 'pools', '*.yml')))
        self.assertGreater(len(paths), 2)
        for path in paths:
            done = run('-t', '-c', path)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn('warning', done.stderr)


if __name__ == '__main__':
    unittest.main()
