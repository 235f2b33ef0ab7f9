"""`python -m contacts_mcp`, and the command `contacts-mcp`."""

from contacts_mcp.cli import main

if __name__ == "__main__":
    main()
