"""Filter of the engine's log: a client that causes messages cannot fill the disk with them."""

from __future__ import annotations

import logging
import time

from starchat_tui.sanitize import sanitize_text

LOG_INTERVAL = 60.0
"""Seconds in which a message is logged once."""
_MAX_MESSAGES = 64
"""Different messages in `LOG_INTERVAL`; what comes beyond is dropped."""
_DETAILED = ("starchat_tui.", "uvicorn.")
"""Beginnings of the loggers whose tracebacks show defects of ours; others tell of odd clients."""


class RepetitionFilter(logging.Filter):
    """Filter that lets each message pass once in `LOG_INTERVAL`, with the number of the dropped.

    A client that causes a message with each byte would fill the disk: 197,263 lines in 15 seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is logged."""
        now = time.monotonic()
        # Its arguments and further lines may hold an address: one message would become many.
        message = str(record.msg).split("\n", 1)[0]
        key = (record.name, message)
        since, dropped = self._seen.get(key, (now - LOG_INTERVAL, 0))
        if now - since < LOG_INTERVAL:
            self._seen[key] = since, dropped + 1
            return False
        if len(self._seen) >= _MAX_MESSAGES:
            self._seen = {
                known: entry for known, entry in self._seen.items() if now - entry[0] < LOG_INTERVAL
            }
        if len(self._seen) >= _MAX_MESSAGES:
            return False
        self._seen[key] = now, 0
        _shorten_record(record, message, dropped)
        return True


def _shorten_record(record: logging.LogRecord, message: str, dropped: int) -> None:
    """Reduce a record to its message and, for a defect of ours, the traceback."""
    if dropped:
        message += f" ({dropped} more since the last time)"
    if not record.name.startswith(_DETAILED) and record.exc_info and record.exc_info[1] is not None:
        error, record.exc_info = record.exc_info[1], None
        message += f" ({type(error).__name__}: {error})".replace("%", "%%" if record.args else "%")
    record.msg = message


class _SafeFormatter(logging.Formatter):
    """Formatter for a terminal: paths and values of a downloaded model may hold escapes."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and a traceback below it."""
        return sanitize_text(super().format(record))


def configure_log() -> None:
    """Write the messages of this process, its libraries' included, to stderr, each now and then."""
    handler = logging.StreamHandler()
    handler.setFormatter(_SafeFormatter("starchat serve: %(message)s"))
    handler.addFilter(RepetitionFilter())
    logging.getLogger().addHandler(handler)
