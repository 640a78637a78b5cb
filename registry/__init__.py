"""Control plane: what an identifier is, who may change it, where it is kept."""
