"""GS1 Digital Link without sockets: links, linksets, and which link a request means."""
