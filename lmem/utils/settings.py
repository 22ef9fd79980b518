"""Settings as frozen values: checked when they are made, JSON in and out."""

import json
from dataclasses import asdict, fields

from lmem.errors import InputError


class Settings:
    """What every settings class can do: refuse what it does not know, and say how it differs."""

    @classmethod
    def from_dict(cls, values):
        """Settings from a mapping; InputError names the first key that does not exist, or says what does not fit."""
        known = {f.name for f in fields(cls)}
        for key in values:
            if key not in known:
                raise InputError(
                    f"{cls.__name__} has no setting {key!r}; it has {', '.join(sorted(known))}"
                )
        try:
            return cls(**values)
        except TypeError as error:  # a text where a number is compared
            raise InputError(f"{cls.__name__} cannot be made of {values}: {error}") from error

    @classmethod
    def from_json(cls, text):
        return cls.from_dict(json.loads(text))

    def to_json(self):
        return json.dumps(asdict(self), indent=1)

    def difference(self):
        """What differs from the defaults: {name: value}."""
        default = type(self)()
        return {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if getattr(self, f.name) != getattr(default, f.name)
        }

    def _at_least(self, **floors):
        for name, floor in floors.items():
            if not getattr(self, name) >= floor:
                raise InputError(f"{name} must be at least {floor}, not {getattr(self, name)}")
