"""Surveillance: line lists and counts in, signals out, period counts and alerts to the partners of an agreement."""
