"""Small models of each family: built, opened for training, cut from larger ones."""
