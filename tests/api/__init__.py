"""The API that partners call, from outside: signed by a partner, by a stranger, or by nobody."""
