"""Arguments of each command of `idis`; `resolver.cli` puts them together.

    networks     up, demo, status, doctor
    identifiers  resolve, register, import
    proofs       proof, verify, witness, monitor
    arguments    what several of them take

A function a command adds its parser, and one beside it runs the command. The latter
loads the command's module, so that `idis resolve` does not wait for what `idis up` needs.
"""
