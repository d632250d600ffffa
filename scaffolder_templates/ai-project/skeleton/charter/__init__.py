"""Reads the project's charter and tells how far it is."""
