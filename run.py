"""Train defenders for CAGE Challenge 2: `python run.py --help`."""

if __name__ == "__main__":  # workers import this file again, and must not start a run
    from pipeline.command.cli import main

    raise SystemExit(main())
