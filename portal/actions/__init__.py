"""Scaffolder actions: what a template's steps can do."""
