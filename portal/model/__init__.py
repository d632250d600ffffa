"""The words of the catalog: references, kinds, relations, problems, layers."""
