"""Pages of the exchange: agreements, partners, crossings, export counters."""
