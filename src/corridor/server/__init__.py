"""The composition root: settings, addresses, and the processes that make a node."""
