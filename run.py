"""Train defenders for CAGE Challenge 2: `python run.py --help`."""

if __name__ == "__main__":  # where workers are spawned they import this file again
    from pipeline.command.cli import main

    raise SystemExit(main())
