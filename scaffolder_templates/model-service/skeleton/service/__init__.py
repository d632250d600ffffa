"""Serves a model: an API, and a page on it."""
