"""The dashboard's pages: HTML made from the store, the configuration and what the gateway hands over.

    routes(Gate(...))              # for a Starlette application; all are read-only
    absent(Gate(...), request)     # the answer at an address where there is none of them

Nothing here knows an actor. The pages write nothing either: their buttons call the gateway's own ``/v1`` routes, which
the command line uses too. The templates' engine is imported with the first page that is asked for.
"""

from squad.web.gate import Gate
from squad.web.site import absent, routes

__all__ = ["Gate", "absent", "routes"]
