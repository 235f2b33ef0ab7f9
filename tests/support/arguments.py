"""The arguments that a tool needs, also those for which its schema allows another: a name for an id."""

from contacts_mcp.tools import Tool

_ONE_OF_SEVERAL = {
    "find_contacts": ["query"],
    "add_matching_to_group": ["group_id"],
    "merge_contacts": ["keep_id", "merge_ids"],
}
"""Arguments that a tool needs unless another is given, and that its model therefore does not require."""


def needed_arguments(tool: Tool) -> list[str]:
    """The arguments of the shortest call, with ids and not names."""
    required = [name for name, field in tool.arguments.model_fields.items() if field.is_required()]
    return required + _ONE_OF_SEVERAL.get(tool.name, [])
