"""The model `atlas`: a real language model, and eyes that are trained here and ship."""
