"""`python -m contacts_mcp`, and the command `contacts-mcp`."""

import gc


def main() -> None:
    """Run the command line. Imports make no garbage worth looking for, and looking is a tenth of a start."""
    gc.disable()
    try:
        from contacts_mcp.cli import main as run

        run()
    finally:
        gc.enable()


if __name__ == "__main__":
    main()
