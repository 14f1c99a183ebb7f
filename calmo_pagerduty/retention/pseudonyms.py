"""Replace what names somebody or something by a pseudonym, in texts and in JSON."""

import json
import re
from collections.abc import Sequence
from typing import Any

#: A shorter text would be found in texts that don't mean it.
MIN_LENGTH = 4


class Pseudonym:
    """Texts that mean a person or an incident, and the name that takes their place.

    Only whole words are replaced, in upper or lower case. All get the same pseudonym, so that what belongs
    together stays together.
    """

    def __init__(self, texts: Sequence[str], name: str) -> None:
        self.texts = tuple(dict.fromkeys(text for text in texts if len(text) >= MIN_LENGTH))
        #: As they stand in JSON, where letters beyond ASCII may be escaped.
        self.needles = tuple(dict.fromkeys(form for text in self.texts for form in _forms(text)))
        longest_first = sorted(self.needles, key=len, reverse=True)
        alternatives = "|".join(re.escape(needle) for needle in longest_first) or r"(?!)"
        self._pattern = re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE)
        self._name = name

    def replace(self, value: Any) -> Any:
        """Return a text or a JSON value with the texts replaced, in keys too."""
        if isinstance(value, str):
            return self._pattern.sub(self._name, value)
        if isinstance(value, list):
            return [self.replace(item) for item in value]
        if isinstance(value, dict):
            return {self.replace(key): self.replace(item) for key, item in value.items()}
        return value

    def is_in(self, data: bytes) -> bool:
        """Tell whether one of the texts is in these bytes, which may be JSON."""
        return self._pattern.search(data.decode("utf-8", "replace")) is not None


def _forms(text: str) -> tuple[str, ...]:
    return text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]
