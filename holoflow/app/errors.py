"""What can be wrong with a type that an app names."""

from __future__ import annotations

from holoflow.errors import HoloflowError


class TypeNameError(HoloflowError):
    """A type that an app names cannot be had."""

    def __init__(self, wrong: str, right: str = "") -> None:
        """Say what is wrong and what would be right, as a mistake does."""
        super().__init__(f"{wrong}; {right}" if right else wrong)
        self.wrong = wrong
        self.right = right


class PluginError(HoloflowError):
    """Something that an installed package adds to holoflow cannot be had."""

    def __init__(self, wrong: str, right: str = "") -> None:
        """Say what is wrong, with the package's name, and what would be right."""
        super().__init__(f"{wrong}; {right}" if right else wrong)
        self.wrong = wrong
        self.right = right
