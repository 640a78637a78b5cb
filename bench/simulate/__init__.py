"""The tree as a queueing model: checked against measurements, then taken further."""
