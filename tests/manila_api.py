"""Serves Manila's API on a port of 127.0.0.1: since 2025.2, Manila has no program for it.

Beside the API it answers `/manage/service/list` with the output of `manila-manage service list`, from the same code
but without the two seconds that a Python program takes to start.

    manila_api.py PORT --config-file FILE
"""

import contextlib
import io
import sys
from wsgiref import simple_server

from manila.cmd import manage
from manila.wsgi import wsgi


class Handler(simple_server.WSGIRequestHandler):
    """Logs no requests."""

    def log_message(self, *_):
        pass


def main():
    # Manila reads the other arguments.
    port = int(sys.argv.pop(1))
    api = wsgi.initialize_application()

    def application(environ, start_response):
        if environ["PATH_INFO"] != "/manage/service/list":
            return api(environ, start_response)
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            manage.ServiceCommands().list("table")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [output.getvalue().encode()]

    simple_server.make_server("127.0.0.1", port, application, handler_class=Handler).serve_forever()


main()
