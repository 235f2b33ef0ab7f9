"""Start the server in a bundle. Claude Desktop runs this file with uv, which installs what pyproject.toml names."""

import sys

from contacts_mcp.__main__ import main

if __name__ == "__main__":
    sys.argv[1:] = sys.argv[1:] or ["serve"]
    main()
