"""The node's faces without their sockets: HTTP and WebSocket of bif notes §1 and §3.

Public: `dialect.answer` for a request over HTTP, `developer.answer` for the paths below
/_dev, `subscriber.Subscriber` for one WebSocket, `pushes.Pushes` for what a block sends
to all of them; `served.ServedChain` is what they are given.
"""
