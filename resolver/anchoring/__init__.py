"""Anchors the national log on a chain, from a queue that survives the process.

The log's newest checkpoint goes this way, always over the chain's public HTTP:

    sealing ─▶ submitting ─▶ journal (durable) ─▶ sending ─▶ a BIF-Core node
                   └─▶ listeners: the newest confirmed checkpoint ─▶ its proof

    submitting.py     the task that follows the log
    pacing.py         when the next checkpoint is due, and when to try again; pure
    records.py        what the queue remembers, and what follows from it; no I/O
    frames.py         how records lie in the queue's file; pure
    journal.py        that file
    sending.py        what the chain is asked and sent
    progress.py       how far it is, for people
    chain_proofs.py   what proves a confirmed checkpoint offline
    asked_chain.py    what chains are asked for that
    levels.py         which checkpoints of children an anchored one covers
    anchored_logs.py  what leads a bundle of any of the logs to the chains
"""
