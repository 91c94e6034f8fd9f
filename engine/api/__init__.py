"""The HTTP side: figures of a `Report` out as JSON, dashboard files out of memory.

In: requests, and everything this folder needs handed over by whoever starts it (`app.create_app`).
Out: HTTP answers. `app` puts the parts together, `server` listens.
Must not: import the engine that makes the figures (only the shape in `figures`), touch SQLite, read
a file while answering (but large ones of the operator, piece by piece), or let an exception, a
version or a path of this machine reach a client.
"""
