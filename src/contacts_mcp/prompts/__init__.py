"""Prompts: the everyday jobs as texts that a host offers to a person."""

from contacts_mcp.prompts._catalog import PROMPTS, choose_prompts, named_tools
from contacts_mcp.prompts._prompt import Argument, Prompt

__all__ = ["PROMPTS", "Argument", "Prompt", "choose_prompts", "named_tools"]
