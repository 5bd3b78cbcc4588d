"""``lancert demo``: the whole of lancert on this machine, with an example shop, in front of your eyes."""

from lancert.cli.demo.command import command

__all__ = ["command"]
