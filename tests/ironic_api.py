"""Serves Ironic's API on a port of 127.0.0.1.

    ironic_api.py PORT --config-file FILE
"""

import socketserver
import sys
from wsgiref import simple_server

# Ironic reads the other arguments.
port = int(sys.argv.pop(1))

from ironic.wsgi import application  # noqa: E402


class Handler(simple_server.WSGIRequestHandler):
    """Logs no requests."""

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    """Answers each request in a thread, as Ironic wants it."""

    daemon_threads = True


simple_server.make_server("127.0.0.1", port, application, Server, Handler).serve_forever()
