"""The web page of a site: doors, precision, throughput, labels and models."""
