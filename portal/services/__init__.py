"""Use cases, each with its transactions."""
