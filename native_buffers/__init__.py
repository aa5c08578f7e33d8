"""How bytes cross processes: episode rings and weight boards in shared memory; NumPy and stdlib only."""
