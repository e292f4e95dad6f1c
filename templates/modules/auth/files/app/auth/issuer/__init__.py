"""An OpenID provider for development, in the application itself. Production refuses to start it."""
