"""The project's own tools: gates, generated pages, proofs. No part of the package."""
