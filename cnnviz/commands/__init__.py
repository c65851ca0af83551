"""The command line: `main`, and the commands, one module each: its help, its arguments, and what runs it.

What a command needs is imported when it runs, so that --help is instant. Bad input is a ValueError or
OSError; `main` turns it into one line. A new command is a module here and its place in `cli.COMMANDS`.
"""

from cnnviz.commands.cli import main

__all__ = ["main"]
