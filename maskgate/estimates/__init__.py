"""What the counted probabilities say about a door that nobody has labelled.

Plain functions without numpy: the desk runs them. docs/adr/0046 has the methods.
"""
