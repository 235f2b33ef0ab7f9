"""What an operator does with a directory: looking after it, copying it, bringing it back."""
