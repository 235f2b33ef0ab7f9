"""What our server costs over HTTP, against a bare server on the same SDK and the same machine.

    uv run python benchmarks/streamable_http.py [--quick] [--check]

Two comparisons of calls per second. With a `constant backend`, which the target is about, both answer from inside the
process, so that what is left is the protocol and what we put round it. In the other each call is also a request to an
API on this machine, which the bare server makes with httpx. Both servers run in one go and by turns, with the same
HTTP parser and event loop; figures are medians, and so are the ratios, of each turn of both. Traffic stays on this
machine.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parent / "parts")  # this file has the name of Python's own package http
    from over_http import main

    sys.exit(main())
