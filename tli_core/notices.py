"""What a result warns of: a code and values. `reports.notices` alone has the words, for whoever reads it then."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Notice:
    """One thing to know about a result.

    code is a key of `reports.notices.TEXTS`. A value is a number, a name, or a notice itself; a layer is given by its
    name, such as `block 3`, and `layers` of them from there on.
    """

    code: str
    values: tuple[tuple[str, object], ...] = ()


def notice(code: str, /, **values: object) -> Notice:
    """A notice of this code with these values."""
    return Notice(code, tuple(values.items()))
