"""Checks the workflows of this repository."""
