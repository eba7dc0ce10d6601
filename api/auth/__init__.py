"""Who calls: API keys and signed tokens, each to a tenant and roles."""
