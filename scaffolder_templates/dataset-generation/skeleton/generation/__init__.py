"""Makes the rows of the dataset that dataset.json describes."""
