"""The feature set, as Feast reads it."""
