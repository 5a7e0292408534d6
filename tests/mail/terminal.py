"""Runs a program in a terminal of its own, as somebody who sits in front of it would.

Usage: terminal.py COLUMNS PROGRAM ARGUMENT...

What comes on standard input is typed; when it ends, the terminal is closed. What is to be seen goes
to standard output. Ends as the program does.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios

LINES = 60
CHUNK = 4096


def main(columns, command):
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
        os.execvp(command[0], command)
    pass_on(terminal)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def pass_on(terminal):
    """Carries everything both ways until either end is closed."""
    while True:
        ready, _, _ = select.select([0, terminal], [], [])
        if terminal in ready:
            seen = read(terminal)
            if not seen:
                return
            write(1, seen)
        if 0 in ready:
            typed = read(0)
            if not typed:
                os.close(terminal)
                return
            write(terminal, typed)


def read(source):
    try:
        return os.read(source, CHUNK)
    except OSError:
        # Nobody has the terminal open any more.
        return b""


def write(target, data):
    while data:
        data = data[os.write(target, data):]


if __name__ == "__main__":
    code = main(int(sys.argv[1]), sys.argv[2:])
    sys.exit(128 - code if code < 0 else code)
