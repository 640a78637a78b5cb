"""Anchors the national log on a chain, from a queue that survives the process.

sealing ─▶ submitting ─▶ journal (durable) ─▶ sending ─▶ HTTP of any BIF-Core node
               └─▶ listeners: the newest confirmed checkpoint

records.py     what the journal remembers, and what follows from it; pure
frames.py      how records lie in the journal's file; pure
journal.py     the file
sending.py     what the chain is asked and sent
pacing.py      when the next checkpoint is due, and when to try again; pure
submitting.py  the task that does it all
"""
