"""The default squad: it audits a tree of Python source. A small, complete example of agents at work."""
