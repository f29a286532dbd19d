"""The process of ``patterns``: reads patterns and texts, and writes whether they are found.

Each line of its input has both as a JSON array; it answers with 0 or 1. A search that takes more seconds
of processor time than its argument says ends it.
"""

import json
import re
import signal
import sys


def main() -> None:
    """Answer until the input ends."""
    seconds = float(sys.argv[1])
    for line in sys.stdin.buffer:
        pattern, text = json.loads(line)
        # Its signal, SIGPROF, ends the process whatever that does.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        found = re.search(pattern, text) is not None
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.write("1" if found else "0")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
