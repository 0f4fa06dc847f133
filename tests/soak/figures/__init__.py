"""Announces the test figures of ``tests.exchange.nodes`` to every process of a node under the long run."""
