"""The peer: the server that FastMCP generates from the API's OpenAPI document, as in the evals.

python -m common.generated_server PORT API    over HTTP; each call is a request to that API
"""

import sys

from common.processes import API_KEY, LOOPBACK
from evals.baseline.server import generate_server

from contacts_mcp.directory.service._openapi import openapi_document

if __name__ == "__main__":
    # An access log would cost more than the request. Connections stay open between two rounds.
    generate_server(openapi_document(), sys.argv[2], API_KEY).run(
        transport="http",
        host=LOOPBACK,
        port=int(sys.argv[1]),
        show_banner=False,
        log_level="WARNING",
        uvicorn_config={"access_log": False, "timeout_keep_alive": 60},
    )
