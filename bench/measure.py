"""Measures one job, in this process: `measure.py JOB`. Workers import this module again, so it imports nothing."""

if __name__ == "__main__":
    from parts.methods import main

    raise SystemExit(main())
