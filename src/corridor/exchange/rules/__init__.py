"""The pure rules of exchange: agreement, gate, envelope, log, receipt, evidence; no Django, network or clock."""
