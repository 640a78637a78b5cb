"""Roles: what makes a node a top-level, secondary, enterprise or recursive one."""
