"""The commands of the exchange."""

import click

from corridor.exchange.commands.agreements import agreement
from corridor.exchange.commands.counters import counters
from corridor.exchange.commands.crossings import crossings, log
from corridor.exchange.commands.nodes import node
from corridor.exchange.commands.peers import peer

COMMANDS: tuple[click.Command, ...] = (agreement, counters, crossings, log, node, peer)
"""What the command line takes from this app."""
