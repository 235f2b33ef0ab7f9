"""The loggers of this process, as they were before a test set them up."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_State = tuple[list[logging.Handler], int, bool, bool]

_NEW: _State = ([], logging.NOTSET, True, False)
"""What a logger is like that nobody has set up."""


@contextmanager
def loggers_as_they_were() -> Iterator[None]:
    """Undo at the end whatever is done to loggers within: handlers outlive the standard error they write to."""
    before = {name: _state(logger) for name, logger in _loggers()}
    try:
        yield
    finally:
        for name, logger in _loggers():
            logger.handlers, logger.level, logger.propagate, logger.disabled = before.get(name, _NEW)
            logger.handlers = list(logger.handlers)
        logging.root.manager._clear_cache()


def _loggers() -> list[tuple[str, logging.Logger]]:
    known = logging.root.manager.loggerDict.items()
    return [("root", logging.root), *((name, found) for name, found in known if isinstance(found, logging.Logger))]


def _state(logger: logging.Logger) -> _State:
    return list(logger.handlers), logger.level, logger.propagate, logger.disabled
