"""What a saved proof was run with: a digest of the modules that decide an answer inside vLLM."""

from __future__ import annotations

from importlib.resources import files

from errata.core.canonical import digest_of

_DECIDES = ("book", "following", "near", "op", "seam")


def digest() -> str:
    """SHA-256 of the modules' bytes, in order."""
    package = files("errata_vllm")
    return digest_of(b"\0".join(package.joinpath(f"{name}.py").read_bytes() for name in _DECIDES))
