"""How the command line ends when a command raises an error."""

import typer

from semalign.cli.errors import run


def ended(error, capsys, monkeypatch, *arguments):
    """Return the status and what is printed when a command raises an error."""
    app = typer.Typer()

    @app.command()
    def command(verbose: bool = False):
        raise error

    monkeypatch.setattr("sys.argv", ["semalign", *arguments])
    return run(app), capsys.readouterr().err
