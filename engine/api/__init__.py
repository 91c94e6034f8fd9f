"""The web application: figures of a report as JSON, and the dashboard's files out of memory.

`app.Api` is a Bottle application; `engine/http` serves it. No exception, version or path of this
machine reaches a client, and no file is read while answering but large ones of the operator.
"""
