"""Faces: one I/O shell for each transport or dialect, with no logic of its own."""
