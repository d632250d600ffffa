"""Turns a template with its parameters into files, values or task events."""
