"""`errata model`: small models checked, trained, merged."""
