"""The path as this app knows it, wherever it is mounted."""

from starlette.types import Scope


def path_of(scope: Scope) -> str:
    """The path without the prefix that the ASGI server was told of."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(f"{root}/") else path
