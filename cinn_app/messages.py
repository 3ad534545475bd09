"""Messages that a front end can say in another language."""

from collections.abc import Mapping
from typing import Any

__all__ = ["Damage", "Message"]


class Message(str):
    """An English text that remembers how it was put together.

    It is an ordinary string, so whoever needs English needs nothing else. The studio translates the template and then
    fills in the values, which may themselves be messages or errors. It is also the mark by which texts are found
    for the catalogues, see :mod:`cinn_app.studio.catalogues`.

    Args:
        template: the text, with the names of values in braces.
        values: what the braces stand for; without any, the template is the text.

    >>> message = Message("Only the first of {count} {kind} is used.", count=3, kind=Message("pages"))
    >>> message, message.template
    ('Only the first of 3 pages is used.', 'Only the first of {count} {kind} is used.')
    """

    template: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> "Message":
        """Fill in the values."""
        message = super().__new__(cls, template.format(**values) if values else template)
        message.template, message.values = template, values
        return message


class Damage(Message):
    """A warning that a file is damaged, and what of it could not be read."""
