# expected: runs
import argparse, os, sys
parser = argparse.ArgumentParser()
parser.add_argument('--n', type=int, default=2)
arguments = parser.parse_args([])
print(os.path.basename(__file__), arguments.n)
sys.exit(0 if arguments.n else 1)
