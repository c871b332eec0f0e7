"""A corrected model for other engines, each export with two questions that tell whether the corrections are there."""
