"""A child for `test_child`: gives back what it is told."""

from anmok.core.child import private_pipes


def main() -> None:
    requests, answers = private_pipes()
    answers.write(requests.read())
    answers.close()
