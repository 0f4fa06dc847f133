"""Settings of a node under the long run: a node's own, and the message whose effects are counted."""

from corridor.server import settings as _node
from corridor.server.settings import *  # noqa: F403 - a settings module is its names

INSTALLED_APPS = [*_node.INSTALLED_APPS, "tests.soak.figures"]
