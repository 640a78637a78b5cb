"""A recheck of all that a node has stored: its log, and the registry against it.

What is in the log, `chain_anchor.auditing` rechecks; this package adds what only we
know:

    journal    one line for each change of the log, in the same order, saying the same
    registry   each record has the digest, serial and state that its last change gave
               it, homes likewise; there is nothing else that the log says is
               registered; serials and counts are those of the journal and the records
    log_meta   rotations lead from the first key to the one that signs now
    node       all of it, for one node

A node is read in one snapshot and never written. What is damaged becomes a finding, the
first of each table; other tables are rechecked all the same. A page of the engine may
be damaged so that reading it ends the process: whoever must survive that rechecks in a
process of its own, as `idis verify --data` does.
"""
