"""The corridor of the README: three nodes, two agreements, a story told in acts."""
