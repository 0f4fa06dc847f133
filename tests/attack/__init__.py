"""A hostile partner with a valid agreement, played against the sites of a study."""
