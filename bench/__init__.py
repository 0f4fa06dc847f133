"""Measured speed, each figure beside the tool that a user would pick instead, in the same run."""
