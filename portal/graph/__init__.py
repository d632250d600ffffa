"""Pure engines on the ownership graph: walks, impact, policies."""
