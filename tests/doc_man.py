"""The man page, from the help of the commands and the settings."""

from typing import Any

from contacts_mcp.settings import Settings, env_name
from doc_parts import SOURCE, _commands

MAN_PAGE = SOURCE / "cli" / "contacts-mcp.1"
_FILES = (
    ("~/.config/wayscloud-contacts-mcp/config.toml", "Settings, for all profiles and for one."),
    ("~/.local/share/wayscloud-contacts-mcp/contacts.db", "The embedded directory."),
    ("~/.local/share/wayscloud-contacts-mcp/audit.jsonl", "The audit trail of servers over stdio."),
)


def man_page() -> str:
    """The page in roff."""
    lines = [
        ".TH CONTACTS\\-MCP 1",
        ".SH NAME",
        "contacts\\-mcp \\- MCP server for the WAYSCloud Contacts API, with an embedded directory",
        ".SH SYNOPSIS",
        ".B contacts\\-mcp",
        ".I COMMAND",
        "[\\fIOPTIONS\\fR]",
        ".SH COMMANDS",
    ]
    for name, command in _commands().items():
        lines += _command(name.removeprefix("contacts-mcp "), command)
    lines += [".SH ENVIRONMENT", "Each setting can also stand in config.toml, in lower case and without its prefix."]
    for name, info in Settings.model_fields.items():
        lines += [".TP", f".B {_roff(env_name(name))}", _roff(" ".join((info.description or "").split()))]
    lines.append(".SH FILES")
    for path, meaning in _FILES:
        lines += [".TP", f".I {_roff(path)}", _roff(meaning)]
    lines += [
        ".SH EXIT STATUS",
        "0 if all is well, 1 if a check or a part of the work failed, 2 for an invalid setting.",
    ]
    return "\n".join(lines) + "\n"


def _command(name: str, command: Any) -> list[str]:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option" and param.name != "help"]
    usage = " ".join([name, *(f"[{each.name.upper()}]" for each in arguments)])
    lines = [f".SS {_roff(usage)}", _roff(" ".join((command.help or "").split()))]
    for option in options:
        flags = ", ".join([*option.opts, *option.secondary_opts])
        lines += [".TP", f".B {_roff(flags)}", _roff(option.help or "")]
    return lines


def _roff(text: str) -> str:
    """Escape what roff reads as commands, and leave out the marks of Markdown."""
    plain = text.replace("`", "").replace("…", "...")
    escaped = plain.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
