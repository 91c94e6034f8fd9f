"""An HTTP/1.1 server for WSGI applications: connections, deadlines, limits and content negotiation.

It knows nothing of this program but its errors and its wake-up. One thread owns all connections;
workers compute answers and hand them over. Of waitress it uses the request parser
(`docs/adr/0026-http-server.md`).
"""
