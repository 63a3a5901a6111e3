"""Entries of the command palette, shown as they are written: `/copy [n]` is no markup."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text
from textual.app import SystemCommand
from textual.command import DiscoveryHit, Hit, Hits, Provider


class CommandProvider(Provider):
    """The app's own commands. Textual's provider parses their names as markup."""

    def _list_commands(self) -> Iterator[SystemCommand]:
        yield from self.app.get_system_commands(self.screen)

    async def discover(self) -> Hits:
        """Yield every command, for an empty query."""
        for command in sorted(self._list_commands(), key=lambda command: command.title):
            yield DiscoveryHit(Text(command.title), command.callback, command.title, command.help)

    async def search(self, query: str) -> Hits:
        """Yield the commands that match a query."""
        matcher = self.matcher(query)
        for command in self._list_commands():
            if (score := matcher.match(command.title)) > 0:
                yield Hit(score, Text(command.title), command.callback, command.title, command.help)
