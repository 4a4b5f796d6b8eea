"""Many studies' public folders become one static site, readable from any folder.

Everything is read from what already lies under ``reports/public/``: the cards beside the
pages, those of their editions, and the replies that the gate has let through. A page asks
the network for nothing, and its list is complete without JavaScript.
"""

from __future__ import annotations

from evidence.portal.page import write_portal
from evidence.portal.site import Site, read_site

__all__ = ["Site", "read_site", "write_portal"]
