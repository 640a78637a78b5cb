"""Growth: the same work put to networks of more and more secondary nodes."""
