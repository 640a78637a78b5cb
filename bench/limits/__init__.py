"""How far the data plane goes: a full cache, what is not cached, writes, floods."""
