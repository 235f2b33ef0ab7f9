"""Prompts: instructions for common jobs that a host offers to a person."""

from contacts_mcp.prompts._prompts import PROMPTS, Prompt, choose_prompts, named_tools

__all__ = ["PROMPTS", "Prompt", "choose_prompts", "named_tools"]
