"""What crosses a process boundary: crop message, verdict, queue topology, preprocessing, model card, log set-up."""
