"""What the card of the model in the box says beyond FERPlus, measured by one command."""
