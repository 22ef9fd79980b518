"""The tests on the oldest and the newest transformers that pyproject.toml admits: `nox -s oldest`, `nox -s newest`."""

import nox

OLDEST = "transformers==5.1.0"
TESTS = ("tests", "-n", "2", "--dist", "loadfile", "--ignore", "tests/test_notebooks.py")


def run(session, *pins):
    session.install("torch==2.13.0", "-e", ".[book,dev]", *pins)
    session.run("pytest", *TESTS, env={"OMP_NUM_THREADS": "1"})


@nox.session
def oldest(session):
    run(session, OLDEST)


@nox.session
def newest(session):
    run(session, "--upgrade", "transformers")
