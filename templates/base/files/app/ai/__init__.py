"""Everything that talks to a model. The only way in is gateway.py."""
