"""The HTTP service: datasets, recipes and jobs of one folder; see ``docs/serving.md``.

``app`` puts the parts together, each of which has its own routes. A name in a request is looked up
in what the server listed itself; no text of a request becomes a path.
"""
