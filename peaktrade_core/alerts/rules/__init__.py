"""The rules: what each kind looks for, in which facts, and how they would have done on recorded sessions."""
