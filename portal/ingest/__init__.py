"""From bytes to what the catalog must become: documents, entities, relations, snapshot, delta."""
