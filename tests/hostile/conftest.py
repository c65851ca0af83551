"""The explorer for hostile visitors: the pages' own way in."""

from apps.conftest import visit

__all__ = ["visit"]
