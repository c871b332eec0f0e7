"""A model that is only asked, at an address that speaks OpenAI's API."""
