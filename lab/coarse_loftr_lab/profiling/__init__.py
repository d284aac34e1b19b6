"""What each layer of an exported model costs, counted and measured."""
