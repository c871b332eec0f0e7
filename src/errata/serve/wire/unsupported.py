"""Fields that OpenAI has and this server doesn't: taken where they ask for nothing, refused where they ask for something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


@final
@dataclass(frozen=True)
class OnlyFor:
    """In an annotation: the field may be null or one of these values, which ask for what happens anyway.

    Args:
        what: what there is none of here, to go on from "The server has no".
        harmless: the values, as JSON.
    """

    what: str
    harmless: tuple[Any, ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._checked)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"enum": [None, *self.harmless], "description": f"Not supported: the server has no {self.what}."}

    def _checked(self, value: Any) -> None:
        if value is None or any(type(value) is type(each) and value == each for each in self.harmless):
            return
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 in self.harmless and value == 0:
            return
        raise PydanticCustomError("unsupported", "the server has no {what}. Leave it out", {"what": self.what})


def without_empty(value: Any, *, but: str) -> Any:
    """A message without the fields that say nothing, as clients send back what they were sent.

    Args:
        but: a field that is kept in any case.
    """
    if not isinstance(value, Mapping):
        return value
    return {name: each for name, each in value.items() if name == but or not (each is None or each in ([], {}))}
