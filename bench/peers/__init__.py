"""The same work put to other servers, side by side in one run."""
