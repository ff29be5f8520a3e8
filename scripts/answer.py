"""Let models answer questions and keep their answers: python scripts/answer.py --help."""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from llm_juries.commands import command_line as cli


@hydra.main(config_path="../conf", config_name="answer", version_base="1.3")
@cli.task
def main(cfg: DictConfig) -> None:
    """Ask for the answers that the store lacks; write the table of all, ready to be judged."""
    from llm_juries.answers import table as answer_table
    from llm_juries.answers.retrieval import over
    from llm_juries.answers.rounds import Rounds, check, questions_of
    from llm_juries.collect.estimate import forecast, total
    from llm_juries.collect.policy import Policy
    from llm_juries.collect.progress import Bars, notes
    from llm_juries.config.build import build, pick
    from llm_juries.markdown import markdown
    from llm_juries.store.store import Store

    policy = pick(cfg, Policy)
    answering = build(cfg.answering, "answering")
    retriever = build(cfg.retrieval, "retrieval")
    candidates = [build(node, f"candidates.{n}") for n, node in sorted(cfg.candidates.items())]
    check(answering, candidates, retriever)
    questions = questions_of(build(cfg.dataset, "dataset"))
    path = Path(cfg.answers or f"outputs/answers/{questions.name}_{answering.name}.jsonl")
    answer_table.check_path(path)
    rounds = Rounds(questions, candidates, answering, over(retriever, questions))
    with Store(cfg.store) as store:
        if policy.dry_run:
            table = forecast(rounds.first(), store, policy)
            first = " in the first round; later rounds depend on its replies"
            print(f"{markdown(table)}\n\n{total(table)}{first * (answering.rounds > 1)}")
            return
        with Bars() as bars:
            answers, tallies = rounds.run(store, policy, bars)
    count = answer_table.write(path, answers, answering.name)
    print(markdown(answer_table.summary(answers, tallies)))
    for line in [*notes(tallies), *answer_table.failures(answers)]:
        print(f"\n{line}")
    print(f"\nanswers: {path} ({count} rows)")
    print(f"judge them: python scripts/judge.py dataset=jsonl dataset.path={path} judge=NAME")
    answer_table.check_complete(answers)


if __name__ == "__main__":
    cli.run(main)
