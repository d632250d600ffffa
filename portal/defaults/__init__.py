"""What Portal ships, registered like any extension."""
