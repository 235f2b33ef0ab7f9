"""A log message that consists of fields."""

import json
from typing import Any


class LogFields(dict[str, Any]):
    """The fields of a log message: part of the line in a JSON log, written as JSON in a text log."""

    def __str__(self) -> str:
        return json.dumps(self)
