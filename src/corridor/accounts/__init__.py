"""People, roles, tokens, the audit trail and the rule of two persons."""
