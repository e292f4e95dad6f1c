"""Everything that touches a model. Features use `app.ai.gateway` and nothing else of it."""
