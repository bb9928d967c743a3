"""The style rules of the dashboard, read again only when they change."""

from textual.css.stylesheet import Stylesheet


class ThemeStylesheet(Stylesheet):
    """Reads its rules again for other variables, as those of another theme.

    Textual does so twice when a mode is opened for the first time, which takes 30 to 60 ms.
    """

    def set_variables(self, variables: dict[str, str]) -> None:
        """Takes over the variables of a theme; the rules are read again if they differ."""
        if variables != self._variables:
            super().set_variables(variables)
            super().reparse()

    def reparse(self) -> None:
        """Leaves the rules as they are: new ones are parsed when they are asked for."""
