"""What both nodes are made of: life cycle, parameters, diagnostics."""
