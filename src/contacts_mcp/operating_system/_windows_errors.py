"""Errors of Windows as Python has them, so that `FileNotFoundError` and others are raised on each system."""

import sys

if sys.platform == "win32":
    import pywintypes

    def to_os_error(error: pywintypes.error) -> OSError:
        """Return the OSError of an error of pywin32."""
        return OSError(None, error.strerror, None, error.winerror)
