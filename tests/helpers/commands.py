"""Run a command of semalign in this process."""

from typer.testing import CliRunner

from semalign import cli

runner = CliRunner()


def invoke(*arguments):
    result = runner.invoke(cli.app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output
