"""A corrected model in the forms that other programs read: an adapter as PEFT has it, a checkpoint under the hub's names."""
