"""The commands of the command line, one module each: its help, its arguments, and what runs it.

What a command needs is imported when it runs, so that --help is instant. Bad input is a ValueError or
OSError; `cnnviz.cli` turns it into one line. A new command is a module here and its place in COMMANDS.
"""

from cnnviz.commands import bench, evaluate, exciting, explore, export, info, predict, train, verify

COMMANDS = tuple(
    module.COMMAND for module in (explore, predict, export, evaluate, verify, exciting, train, info, bench)
)
