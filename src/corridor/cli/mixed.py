"""A group of commands of which some work on files and the others are those of the node, where one is installed."""

from importlib.util import find_spec

import click

__all__ = ["FilesAndNode"]


class FilesAndNode(click.Group):
    """A group whose own commands need no node; beside them stand those that the node announces under its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the own commands and, where a node is installed, of the node's."""
        return sorted({*super().list_commands(ctx), *self._of_node()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name, or None."""
        return super().get_command(ctx, cmd_name) or self._of_node().get(cmd_name)

    def _of_node(self) -> dict[str, click.Command]:
        if find_spec("django") is None:
            return {}
        from corridor.cli import node

        group = node.commands().get(self.name or "")
        return dict(group.commands) if isinstance(group, click.Group) else {}
