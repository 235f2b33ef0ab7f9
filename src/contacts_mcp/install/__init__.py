"""Installs the server in hosts: edits their files, and stores keys outside of them."""

from contacts_mcp.install._changes import (
    Change,
    ForeignEntry,
    find_launch,
    hide_secrets,
    plan_install,
    plan_uninstall,
    read_host_entries,
)
from contacts_mcp.install._files import Backups
from contacts_mcp.install._formats import FileFormat, put_entry
from contacts_mcp.install._hosts import INSTALL_HOSTS, InstallHost, Launch, Places, is_installed, read_launch
from contacts_mcp.install._launch import PACKAGE, entry_name, find_command, running_command, starts_this_server
from contacts_mcp.install._mentions import find_host_files
from contacts_mcp.install._profiles import ProfileStore
from contacts_mcp.install._text import InvalidHostFile

__all__ = [
    "INSTALL_HOSTS",
    "PACKAGE",
    "Backups",
    "Change",
    "FileFormat",
    "ForeignEntry",
    "InstallHost",
    "InvalidHostFile",
    "Launch",
    "Places",
    "ProfileStore",
    "entry_name",
    "find_command",
    "find_host_files",
    "find_launch",
    "hide_secrets",
    "is_installed",
    "plan_install",
    "plan_uninstall",
    "put_entry",
    "read_host_entries",
    "read_launch",
    "running_command",
    "starts_this_server",
]
