"""What the local chain can do: transfers, batches, large blocks, many accounts."""
