"""Which model describes the body of a route's response in the OpenAPI document.

The routes return responses in their final form, so the models are only for the document, which has them: an embedded
directory never loads them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

RouteT = TypeVar("RouteT", bound=Callable[..., Any])


class ResponseModel(NamedTuple):
    """A model of the document by its name; with `fields`, a model that only one route needs."""

    name: str
    fields: dict[str, Any]


RESPONSE_MODELS: dict[str, ResponseModel] = {}
"""By the name of the route. A route that is not here returns 204 without a body."""


def returns(name: str, **fields: Any) -> Callable[[RouteT], RouteT]:
    """Set the model of a route's response: `@returns("Contact")`, or `@returns("Added", added=NonNegativeInt)`."""

    def register(route: RouteT) -> RouteT:
        RESPONSE_MODELS[route.__name__] = ResponseModel(name, fields)
        return route

    return register
