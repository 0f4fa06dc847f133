"""Health Corridor: a memorandum between countries, turned into working services."""
