"""Runs a command and writes down what it took: ``launch.py REPORT COMMAND...``.

A process of its own, as small as Python can be: on Linux the peak memory of a program is never
less than what the process that started it has used.
"""

import os
import sys
import time


def main() -> int:
    """Run the command to its end."""
    report, *command = sys.argv[1:]
    began = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - began
    code = os.waitstatus_to_exitcode(status)
    with open(report, "w", encoding="ascii") as file:  # noqa: PTH123  # pathlib is too large
        file.write(f"{code} {wall} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
