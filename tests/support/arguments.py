"""The arguments that a tool needs: its schema requires no id, since a name is accepted in its place."""

from contacts_mcp.tools import Tool


def needed_arguments(tool: Tool) -> list[str]:
    """The arguments of the shortest call, with ids and not names."""
    required = [name for name, field in tool.arguments.model_fields.items() if field.is_required()]
    return [*required, *(["group_id"] if tool.name == "add_matching_to_group" else [])]
