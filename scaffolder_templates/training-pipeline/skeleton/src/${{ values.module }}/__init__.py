"""A pipeline that trains a model."""
