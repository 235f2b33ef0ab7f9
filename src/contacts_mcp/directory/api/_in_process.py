"""Answers requests of this process by the same routes, without what only a network needs: HTTP, and JSON of bodies.

A request that a route does not accept as it is gets no answer here. It has to go through the app, which has the one
form of each refusal.
"""

import inspect
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from fastapi import Response, params
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError

from contacts_mcp.directory._errors import DirectoryError
from contacts_mcp.directory.api._app import ROUTERS, render_directory_error, render_refusal
from contacts_mcp.directory.api._requests import Tenant, current_tenant, current_undo
from contacts_mcp.directory.store import UndoOffer
from contacts_mcp.middleware import refusal_for

_Query = Sequence[tuple[str, str]]
_Body = Mapping[str, Any] | None


class InProcessApi:
    """The routes of the API, about one tenant."""

    def __init__(self, tenant: Tenant, undo: UndoOffer | None) -> None:
        self._provided = {current_tenant: tenant, current_undo: undo}

    async def answer(self, method: str, path: str, query: _Query, body: _Body) -> Response | None:
        """Return the response to a request; None if no route accepts it, and then nothing was done."""
        for route in _read_routes().get(method, ()):
            if found := route.pattern.match(path):
                try:
                    arguments = route.read(found.groupdict(), query, body, self._provided)
                except ValidationError:
                    return None
                return await _respond(route.endpoint(**arguments))
        return None


@cache
def _read_routes() -> Mapping[str, Sequence["_Route"]]:
    """Return all routes by their method. Once in a process: to build their types takes longer than a call."""
    found = defaultdict[str, list[_Route]](list)
    for route in (route for router in ROUTERS for route in router.routes):
        assert isinstance(route, APIRoute)
        for method in route.methods or ():
            found[method].append(_Route(route))
    return dict(found)


async def _respond(answering: Awaitable[Response]) -> Response:
    try:
        return await answering
    except DirectoryError as error:
        return render_directory_error(error)
    except Exception as error:  # noqa: BLE001 - logged and answered with 500, as the app does
        return render_refusal(refusal_for(error), {})


class _Route:
    """A route's function, and how its arguments are read."""

    def __init__(self, route: APIRoute) -> None:
        self.endpoint: Callable[..., Awaitable[Response]] = route.endpoint
        self.pattern: re.Pattern[str] = route.path_regex
        self._fixed: dict[str, object] = {}
        self._dependencies: dict[str, Any] = {}
        self._path: dict[str, TypeAdapter[Any]] = {}
        self._query: dict[str, _QueryParameter] = {}
        self._body: dict[str, TypeAdapter[Any]] = {}
        hints = get_type_hints(self.endpoint, include_extras=True)
        for name, parameter in inspect.signature(self.endpoint).parameters.items():
            self._add(name, hints[name], parameter.default)

    def _add(self, name: str, hint: Any, default: Any) -> None:
        metadata = getattr(hint, "__metadata__", ())
        match next((each for each in metadata if isinstance(each, params.Param | params.Depends)), None):
            case params.Depends(dependency=dependency):
                self._dependencies[name] = dependency
            case params.Header():  # a request of this process has no headers
                self._fixed[name] = default
            case params.Path():
                self._path[name] = TypeAdapter(hint)
            case params.Query():
                self._query[name] = _QueryParameter(hint, default)
            case _:
                assert issubclass(hint, BaseModel), name
                self._body[name] = TypeAdapter(hint)

    def read(
        self, path: Mapping[str, str], query: _Query, body: _Body, provided: Mapping[Any, object]
    ) -> dict[str, Any]:
        """Return the arguments of a request; `provided` has the values of its dependencies.

        Raises ValidationError if one of them is not valid.
        """
        values = defaultdict[str, list[str]](list)
        for name, value in query:
            values[name].append(value)
        return {
            **self._fixed,
            **{name: provided[dependency] for name, dependency in self._dependencies.items()},
            **{name: type_.validate_python(path[name]) for name, type_ in self._path.items()},
            **{name: parameter.read(values.get(name)) for name, parameter in self._query.items()},
            **{name: type_.validate_python(body) for name, type_ in self._body.items()},
        }


class _QueryParameter:
    """A parameter of the query, which is repeated for the items of a list."""

    def __init__(self, hint: Any, default: Any) -> None:
        self._type = TypeAdapter[Any](hint)
        self._default = None if default is inspect.Parameter.empty else default
        self._is_required = default is inspect.Parameter.empty
        plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        self._is_list = list in {get_origin(each) for each in (plain, *get_args(plain))}

    def read(self, values: Sequence[str] | None) -> Any:
        if values is None and not self._is_required:
            return self._default
        return self._type.validate_python(values if self._is_list or values is None else values[-1])
