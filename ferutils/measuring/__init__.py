"""Recipe and dataset -> records: models, training, and the makers of every other record."""
