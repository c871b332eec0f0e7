"""Floor 5: the one training loop, and everything that is taught with it: small models, editors that learn, scopes."""
