"""`python -m cnnviz`: the command line."""

import sys

# Python looks for modules in the current folder first: a numpy.py that lies there would be run for NumPy.
if not sys.flags.safe_path:
    del sys.path[0]

try:
    from cnnviz.commands import main
except (ImportError, MemoryError) as error:
    sys.exit(f"cnnviz: a library cannot be loaded, for want of memory perhaps: {error}")
except KeyboardInterrupt:
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(main())
