"""How good the model is: what labelled samples say, and what is expected without labels."""
