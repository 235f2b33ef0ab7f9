"""A log message that is fields."""

import json
from typing import Any


class LogFields(dict[str, Any]):
    """A log message in fields, which a log in JSON takes over as they are; as text it is JSON itself."""

    def __str__(self) -> str:
        return json.dumps(self)
