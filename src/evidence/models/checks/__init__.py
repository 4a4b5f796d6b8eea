"""What is asked before and after an estimate: formulas, diagnostics, families, permutations."""
