"""Authentication: API keys and signed tokens, each with a tenant and roles."""
