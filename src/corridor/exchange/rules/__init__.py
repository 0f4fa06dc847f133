"""The pure rules of exchange: agreement, gate, envelope, log, receipt, evidence. No Django, no network, no clock, no database."""
