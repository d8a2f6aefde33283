"""Pure rules: what a conversion is, how it is hashed, named and matched. No I/O."""
