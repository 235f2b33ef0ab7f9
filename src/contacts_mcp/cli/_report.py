"""The report of `contacts-mcp doctor`: one check after the other."""

from contacts_mcp.cli._output import print_json, print_line


class Report:
    """The checks so far, each printed as a line for a person at once, or all as JSON at the end."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._checks: list[dict[str, str | bool]] = []

    def passed(self, check: str, result: str) -> None:
        self._checks.append({"check": check, "ok": True, "result": result})
        if not self._as_json:
            print_line(f"✓ {check}: {result}")

    def failed(self, check: str, reason: str, advice: str) -> None:
        self._checks.append({"check": check, "ok": False, "result": reason, "advice": advice})
        if not self._as_json:
            print_line(f"✗ {check}: {reason}")
            print_line(f"  → {advice}")

    def end(self) -> int:
        """Print the JSON, and return the exit code: 1 if a check failed."""
        is_well = all(each["ok"] for each in self._checks)
        if self._as_json:
            print_json({"ok": is_well, "checks": self._checks})
        return 0 if is_well else 1
