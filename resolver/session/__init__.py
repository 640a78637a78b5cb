"""Sans-IO state machines: exchanges, streams, logins, walks; `now` is an argument."""
