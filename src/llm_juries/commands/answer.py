"""llm-juries answer: let models answer questions and keep their answers."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from . import command_line


def answer(cfg: DictConfig) -> None:
    """Ask for the answers that the store lacks; write the table of all, ready to be judged."""
    from ..answers import table as answer_table
    from ..answers.retrieval import over, without_building
    from ..answers.rounds import Rounds, check, questions_of
    from ..collect.estimate import forecast, total
    from ..collect.progress import notes, progress_of
    from ..config.build import build
    from ..config.settings import settings
    from ..files import file_name
    from ..markdown import markdown
    from ..store.store import Store

    chosen = settings(cfg)
    policy = chosen.policy
    answering = build(cfg.answering, "answering")
    retriever = build(cfg.retrieval, "retrieval")
    candidates = [build(node, f"candidates.{n}") for n, node in sorted(cfg.candidates.items())]
    check(answering, candidates, retriever)
    questions = questions_of(build(cfg.dataset, "dataset"))
    path = Path(
        chosen.places.answers
        or f"outputs/answers/{file_name(f'{questions.name}_{answering.name}')}.jsonl"
    )
    answer_table.check_path(path)
    if policy.dry_run:
        ready, unbuilt = without_building(retriever, questions)
    else:
        ready, unbuilt = over(retriever, questions), ""
    rounds = Rounds(questions, candidates, answering, ready)
    with Store(chosen.places.store) as store:
        if policy.dry_run:
            table = forecast(rounds.first(), store, policy)
            first = " in the first round; later rounds depend on its replies"
            print(f"{markdown(table)}\n\n{total(table)}{first * (answering.rounds > 1)}")
            if unbuilt:
                print(f"\n{unbuilt}")
            return
        with progress_of(policy) as bars:
            answers, tallies = rounds.run(store, policy, bars)
    count = answer_table.write(path, answers, answering.name)
    print(markdown(answer_table.summary(answers, tallies)))
    for line in [*notes(tallies), *answer_table.failures(answers)]:
        print(f"\n{line}")
    print(f"\nanswers: {path} ({count} rows)")
    print(f"judge them: llm-juries judge dataset=jsonl dataset.path={path} judge=NAME")
    answer_table.check_complete(answers)


def main() -> None:
    """Run the command with the arguments of the command line."""
    command_line.run("answer", answer)
