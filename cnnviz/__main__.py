"""`python -m cnnviz`: the command line."""

import sys

# Python looks for modules in the current folder first: a numpy.py that lies there would be run for NumPy.
if not sys.flags.safe_path:
    del sys.path[0]

from cnnviz.commands import main

if __name__ == "__main__":
    sys.exit(main())
